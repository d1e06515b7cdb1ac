import GPT2
import JSON
import Machine
import Operators
import Terminal

/// One training step as its threads ran it.
struct StepRecording {
  let slots: Slots
  let recorder: Recorder

  /// `{"nanoseconds": …, "slots": […], "passes": [[start, end]…], "names": […], "sections": […], "regions": [[name,
  /// section, tasks, start, end]…], "parts": [[[region, start, end, tasks, stolen]…]…]}`: names and sections by number,
  /// parts by slot, times in nanoseconds from the beginning on.
  var json: JSONText {
    let passes = recorder.passes
    let (start, end) = (passes.first?.start ?? 0, passes.last?.end ?? 0)
    var (names, sections) = (NumberedTexts(), NumberedTexts())
    let regions = recorder.regions.map { region in
      Self.integers([
        names.number(of: region.name.text), sections.number(of: region.section), region.tasks,
        region.start - start, region.end - start,
      ])
    }
    let parts = (0..<recorder.slots).map { slot in
      JSONText.array(
        recorder.parts(slot: slot).map {
          Self.integers([$0.region, $0.start - start, $0.end - start, $0.tasks, $0.stolen])
        })
    }
    return .object([
      ("nanoseconds", .integer(end - start)),
      ("slots", .array((0..<recorder.slots).map { .text(SlotText.place(of: $0, in: slots)) })),
      ("passes", .array(passes.map { Self.integers([$0.start - start, $0.end - start]) })),
      ("names", names.json), ("sections", sections.json), ("regions", .array(regions)),
      ("parts", .array(parts)),
    ])
  }

  private static func integers(_ numbers: [Int]) -> JSONText { .array(numbers.map { .integer($0) }) }
}

/// Texts that occur often, each once.
private struct NumberedTexts {
  private var texts: [String] = []
  private var numbers: [String: Int] = [:]

  mutating func number(of text: String) -> Int {
    if let number = numbers[text] { return number }
    numbers[text] = texts.count
    texts.append(text)
    return texts.count - 1
  }

  var json: JSONText { .array(texts.map { .text($0) }) }
}

extension Session {
  /// Runs one more step of the suite step, which takes the update that a step before it left due, and writes it down.
  func recordedStep() throws -> StepRecording {
    Console.showProgress("recording a step …")
    let model = try model()
    let batch = try Batch(
      tokens(seed: 1), targets: tokens(seed: 2), batchSize: settings.batchSize,
      sequenceLength: settings.sequenceLength, for: configuration)
    let training = try model.training()
    let recorder = Recorder(slots: context.threads)
    for isRecorded in [false, true] {
      training.gradients.zero()
      context.recorder = isRecorded ? recorder : nil
      _ = try training.step(
        batch, optimizer: AdamW(), clip: settings.gradientClip, recomputation: model.recomputation,
        leavingUpdateDue: true, in: model.workspace)
    }
    context.recorder = nil
    training.finishUpdate()
    Console.clearProgress()
    return StepRecording(slots: context.parallel.slots, recorder: recorder)
  }
}
