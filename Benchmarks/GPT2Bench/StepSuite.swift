import GPT2
import JSON
import Machine
import Operators
import Terminal

extension Session {
  func stepSection() throws -> Section {
    let model = try model()
    let (inputs, targets) = (tokens(seed: 1), tokens(seed: 2))
    let steps = try TrainingSteps(model, self)
    let samples = try warm("step") { try StepSample { try steps.step() } }
    steps.finish()
    let parts = try warm("passes") { try PassSample(model, inputs: inputs, targets: targets, settings) }
    let row = stepRow(samples, parts)
    let rows = [
      part("  forward", parts.map(\.forward), .arithmetic(flop.forward, arithmetic)),
      part("  backward", parts.map(\.backward), .arithmetic(flop.backward, arithmetic)),
      // Reads gradients for their norm; then parameters, gradients and both moments, and writes all but the
      // gradients: 32 bytes a parameter.
      part("  update", parts.map(\.update), .traffic(32 * Double(configuration.parameterCount))),
    ]
    return Section(
      title: "step", rows: { [row] + rows },
      notes: notes(samples, row) + precisionNotes + clippingNote + [
        "the passes are measured by themselves, keeping everything; a step keeps less and has its update beside the next one's forward pass"
      ])
  }

  private var arithmetic: Limits.Arithmetic { settings.precision.arithmetic }

  /// What is said of bfloat16 alone.
  private var precisionNotes: [String] {
    guard settings.precision != .fp32 else { return [] }
    return [
      "fractions are of the \(settings.precision.rawValue) peak",
      "forward by itself also lays out the weights that update has changed, where threads have few rows",
    ] + pairedNotes
  }

  /// Whether bfloat16 pays here.
  var pairedNotes: [String] { settings.precision == .fp32 ? [] : [peak.pairedNote].compactMap(\.self) }

  private var clippingNote: [String] {
    let clip = settings.gradientClip
    return clip > 0
      ? ["gradients clipped to \(NumberText.significant(clip)), in steps and updates alike"] : []
  }

  func evaluateSection() throws -> Section {
    let model = try model()
    let (inputs, targets) = (tokens(seed: 1), tokens(seed: 2))
    var loss = Float.nan
    let samples = try warm("evaluate") {
      try StepSample {
        loss = try model.evaluate(
          inputs, targets: targets, batchSize: settings.batchSize,
          sequenceLength: settings.sequenceLength)
      }
    }
    let timing = Timing(samples.map(\.milliseconds))
    let row = Row(
      suite: .evaluate, name: "forward and loss", timing: timing, cost: .arithmetic(flop.forward, arithmetic),
      fields: [
        ("model", .text(settings.modelName)), ("precision", .text(settings.precision.rawValue)),
        ("batch_size", .integer(settings.batchSize)),
        ("sequence_length", .integer(settings.sequenceLength)), ("loss", .double(Double(loss))),
        ("tokens_per_second", .double(Double(rows) / timing.median * 1e3)),
        ("peak_resident_bytes", .integer(samples.map(\.residentBytes).max() ?? 0)),
      ])
    return Section(title: "evaluate", rows: { [row] }, notes: notes(samples, row) + pairedNotes)
  }

  /// Samples after two that allocate and touch everything.
  func warm<Sample>(_ label: String, _ sample: () throws -> Sample) rethrows -> [Sample] {
    var samples: [Sample] = []
    for step in -2..<settings.steps {
      Console.showProgress("\(label) \(step + 1) of \(settings.steps)")
      peak.sampleArithmetic()
      let sample = try sample()
      if step >= 0 { samples.append(sample) }
    }
    return samples
  }

  private var flop: (forward: Double, backward: Double) {
    configuration.operations(batchSize: settings.batchSize, sequenceLength: settings.sequenceLength)
  }

  private func part(_ name: String, _ times: [Double], _ cost: Cost) -> Row {
    Row(suite: .step, name: name, timing: Timing(times), cost: cost, isPart: true)
  }

  private func stepRow(_ samples: [StepSample], _ parts: [PassSample]) -> Row {
    let timing = Timing(samples.map(\.milliseconds))
    func median(_ value: (PassSample) -> Double) -> Double { Timing(parts.map(value)).median }
    func count(_ value: (StepSample) -> Int) -> Double { Timing(samples.map { Double(value($0)) }).median }
    return Row(
      suite: .step, name: "training step", timing: timing,
      cost: .arithmetic(flop.forward + flop.backward, arithmetic),
      fields: [
        ("model", .text(settings.modelName)), ("precision", .text(settings.precision.rawValue)),
        ("batch_size", .integer(settings.batchSize)),
        ("sequence_length", .integer(settings.sequenceLength)),
        ("recompute", .text(settings.recomputation.rawValue)),
        ("gradient_clip", .double(settings.gradientClip)),
        ("forward_ms", .double(median(\.forward))), ("backward_ms", .double(median(\.backward))),
        ("update_ms", .double(median(\.update))),
        ("tokens_per_second", .double(Double(rows) / timing.median * 1e3)),
        ("peak_resident_bytes", .integer(samples.map(\.residentBytes).max() ?? 0)),
        ("parallel_regions", .double(count(\.regions))), ("wakes", .double(count(\.wakes))),
        ("page_faults", .double(count(\.pageFaults))),
      ])
  }

  private func notes(_ samples: [StepSample], _ row: Row) -> [String] {
    func median(_ value: (StepSample) -> Int) -> String {
      "\(Int(Timing(samples.map { Double(value($0)) }).median.rounded()))"
    }
    return [
      "\(NumberText.significant(Double(rows) / row.timing.median * 1e3)) tokens/s; \(median(\.regions)) parallel regions, "
        + "\(median(\.wakes)) wakes of the threads and \(median(\.pageFaults)) page faults a step; "
        + "\(NumberText.mebibytes(samples.map(\.residentBytes).max() ?? 0)) resident at the most"
    ]
  }
}

/// One call of a model, measured.
private struct StepSample {
  let milliseconds: Double
  let regions, wakes: Int
  let pageFaults: Int
  /// Resident memory after it. The kernel's own high-water mark would count earlier suites.
  let residentBytes: Int

  init(_ call: () throws -> Void) throws {
    let (before, regionsBefore, wakesBefore) = (
      ProcessUsage.current, Parallel.regionCount, Parallel.wakeCount
    )
    milliseconds = try GPT2Bench.milliseconds(of: call)
    let after = ProcessUsage.current
    regions = Parallel.regionCount - regionsBefore
    wakes = Parallel.wakeCount - wakesBefore
    pageFaults =
      after.minorPageFaults + after.majorPageFaults - before.minorPageFaults - before.majorPageFaults
    residentBytes = after.residentBytes
  }
}

/// The passes of a training step by themselves.
private struct PassSample {
  let forward, backward, update: Double

  init(_ model: Model, inputs: [Int32], targets: [Int32], _ settings: Settings) throws {
    forward = try milliseconds {
      try model.forward(
        inputs, targets: targets, batchSize: settings.batchSize, sequenceLength: settings.sequenceLength)
    }
    backward = try milliseconds {
      model.zeroGradients()
      try model.backward()
    }
    update = try milliseconds { _ = try model.update(AdamW(), clip: settings.gradientClip) }
  }
}
