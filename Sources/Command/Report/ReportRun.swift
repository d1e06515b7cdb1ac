import GPT2
import JSON
import Terminal

/// A training run as a report shows it: its curves, what it wrote and what it was run with.
///
/// A resumed run goes on in its log; what was written after the step that it goes on from was lost and is left out.
struct ReportRun {
  /// What a training step came to; nil where the log has no such number.
  struct Step {
    let number: Int
    let loss, gradientNorm, learningRate, tokensPerSecond, seconds: Double?
  }

  struct Validation {
    let step: Int
    let loss: Double
    let seconds: Double?
  }

  struct Sample {
    let step: Int
    let text: String
  }

  private(set) var steps: [Step] = []
  private(set) var validations: [Validation] = []
  private(set) var samples: [Sample] = []
  /// What the run was started with, or resumed with at last.
  private(set) var options: [(name: String, value: JSONText)] = []
  /// What it came to: the members of the end, none while it goes on.
  private(set) var end: [(name: String, value: JSONText)] = []
  private(set) var endError: String?
  private(set) var resumptions = 0
  private(set) var tokensPerStep: Int?
  private var clock = RunClock()

  init() {}

  /// What a run directory remembers without a log.
  init(
    losses: [TrainingProgress.Loss], validationLosses: [TrainingProgress.Loss],
    options: [(name: String, value: JSONText)]
  ) {
    steps = losses.map {
      Step(
        number: $0.step, loss: Double($0.loss), gradientNorm: nil, learningRate: nil, tokensPerSecond: nil,
        seconds: nil)
    }
    validations = validationLosses.map { Validation(step: $0.step, loss: Double($0.loss), seconds: nil) }
    self.options = options
  }

  var isEmpty: Bool { steps.isEmpty && validations.isEmpty }

  /// Whether a step came to this loss, by which a log is told from another run's.
  func has(_ loss: TrainingProgress.Loss?) -> Bool {
    guard let loss else { return true }
    return steps.last { $0.number == loss.step }?.loss.map { Float($0) } == loss.loss
  }

  /// Takes in the next line of the log.
  ///
  /// - Returns: what the line should have been, where it cannot be taken in.
  mutating func add(_ event: LogEvent) -> String? {
    let time = event.texts["time"].flatMap(TimeText.seconds)
    switch event.kind {
    case "start": begin(event, time)
    case "end": (end, endError) = (event.members, event.texts["error"])
    case "train", "validation", "sample":
      guard let step = event.step else { return "an event with a step" }
      add(event, step: step, seconds: clock.elapsed(at: time))
    default: break
    }
    return nil
  }

  private mutating func begin(_ event: LogEvent, _ time: Double?) {
    (options, end, endError) = (event.members, [], nil)
    let sizes = ["batch_size", "sequence_length", "gradient_accumulation"].map {
      event.numbers[$0].flatMap { Int(exactly: $0) }
    }
    tokensPerStep = sizes.reduce(Optional(1)) { product, size in
      guard let product, let size, size > 0 else { return nil }
      let (value, overflow) = product.multipliedReportingOverflow(by: size)
      return overflow ? nil : value
    }
    guard let resumed = event.numbers["resumed_at"].flatMap({ Int(exactly: $0) }) else {
      return clock.begin(at: time, after: 0)
    }
    resumptions += 1
    steps.removeLast(while: { $0.number >= resumed })
    validations.removeLast(while: { $0.step > resumed })
    samples.removeLast(while: { $0.step > resumed })
    clock.begin(at: time, after: max(steps.last?.seconds ?? 0, validations.last?.seconds ?? 0))
  }

  private mutating func add(_ event: LogEvent, step: Int, seconds: Double?) {
    switch event.kind {
    case "train":
      steps.removeLast(while: { $0.number >= step })
      steps.append(
        Step(
          number: step, loss: event.numbers["loss"], gradientNorm: event.numbers["gradient_norm"],
          learningRate: event.numbers["learning_rate"], tokensPerSecond: event.numbers["tokens_per_second"],
          seconds: seconds))
    case "validation":
      guard let loss = event.numbers["loss"] else { return }
      validations.removeLast(while: { $0.step >= step })
      validations.append(Validation(step: step, loss: loss, seconds: seconds))
    default:
      samples.removeLast(while: { $0.step >= step })
      samples.append(Sample(step: step, text: event.texts["text"] ?? event.idText))
    }
  }
}

/// How long a run has trained at each event, without the pauses between the processes that it was resumed by.
private struct RunClock {
  private var start: Double?
  private var before = 0.0
  private var last = 0.0

  mutating func begin(at time: Double?, after seconds: Double) {
    (start, before, last) = (time, seconds, seconds)
  }

  /// nil where the log does not tell; never less than before, though clocks are set back.
  mutating func elapsed(at time: Double?) -> Double? {
    guard let start, let time else { return nil }
    last = max(last, before + time - start)
    return last
  }
}

extension LogEvent {
  /// The ids of a sample, for runs without a tokenizer.
  fileprivate var idText: String {
    for case ("tokens", .array(let ids)) in members { return ids.map(\.encoded).joined(separator: " ") }
    return ""
  }
}

extension Array {
  /// Removes elements from the end on for as long as they are `unwanted`.
  fileprivate mutating func removeLast(while unwanted: (Element) -> Bool) {
    while let last, unwanted(last) { removeLast() }
  }
}
