import GPT2
import Machine
import Operators

extension Session {
  func stepSection() throws -> Section {
    let model = try model()
    var samples: [StepSample] = []
    let (inputs, targets) = (tokens(seed: 1), tokens(seed: 2))
    // The first step allocates and touches everything, the second finds it warm: neither is counted.
    for step in -2..<settings.steps {
      progress("step \(step + 1) of \(settings.steps)")
      peak.sampleArithmetic()
      let sample = try StepSample(model, inputs: inputs, targets: targets, settings: settings)
      if step >= 0 { samples.append(sample) }
    }
    let row = stepRow(samples)
    let parts = [
      part("  forward", samples.map(\.forward), .arithmetic(flop.forward)),
      part("  backward", samples.map(\.backward), .arithmetic(flop.backward)),
      // Reads parameters, gradients and both moments, writes all but the gradients: 28 bytes a parameter.
      part("  update", samples.map(\.update), .traffic(28 * Double(configuration.parameterCount))),
    ]
    return Section(title: "step", rows: { [row] + parts }, notes: notes(samples, row))
  }

  /// FLOP of the model's formulas, whatever the operators compute on top.
  ///
  /// A matrix product takes 2 a weight and row forward, 4 back: L·12·C² weights in the blocks and V·C in the head.
  /// Causal attention has T(T+1)/2 pairs of positions; q·k and att·v take 2·C each of them forward, twice that back.
  /// What operators compute again in the backward pass, norms, activations, softmax and the update is not counted.
  private var flop: (forward: Double, backward: Double) {
    let (layers, channels) = (Double(configuration.layers), Double(configuration.channels))
    let weights = layers * 12 * channels * channels + Double(configuration.vocabularySize) * channels
    let (batch, sequence) = (Double(settings.batchSize), Double(settings.sequenceLength))
    let attention = layers * batch * 4 * channels * sequence * (sequence + 1) / 2
    let forward = 2 * weights * batch * sequence + attention
    return (forward, 2 * forward)
  }

  private func part(_ name: String, _ times: [Double], _ cost: Cost) -> Row {
    Row(suite: .step, name: name, timing: Timing(times), cost: cost, isPart: true)
  }

  private func stepRow(_ samples: [StepSample]) -> Row {
    let timing = Timing(samples.map(\.total))
    func median(_ value: (StepSample) -> Double) -> Double { Timing(samples.map(value)).median }
    return Row(
      suite: .step, name: "training step", timing: timing, cost: .arithmetic(flop.forward + flop.backward),
      fields: [
        ("model", .string(settings.modelName)), ("batch_size", .integer(settings.batchSize)),
        ("sequence_length", .integer(settings.sequenceLength)),
        ("forward_ms", .number(median(\.forward))), ("backward_ms", .number(median(\.backward))),
        ("update_ms", .number(median(\.update))),
        ("tokens_per_second", .number(Double(rows) / timing.median * 1e3)),
        ("peak_resident_bytes", .integer(samples.map(\.residentBytes).max() ?? 0)),
        ("parallel_regions", .number(median { Double($0.regions) })),
        ("page_faults", .number(median { Double($0.pageFaults) })),
      ])
  }

  private func notes(_ samples: [StepSample], _ row: Row) -> [String] {
    func median(_ value: (StepSample) -> Int) -> String {
      "\(Int(Timing(samples.map { Double(value($0)) }).median.rounded()))"
    }
    return [
      "\(significant(Double(rows) / row.timing.median * 1e3)) tokens/s; \(median(\.regions)) parallel regions and "
        + "\(median(\.pageFaults)) page faults a step; "
        + "\(mebibytes(samples.map(\.residentBytes).max() ?? 0)) resident at the most"
    ]
  }
}

/// One training step, measured.
private struct StepSample {
  let forward, backward, update, total: Double
  let regions: Int
  let pageFaults: Int
  /// The most resident memory after any of the passes. The kernel's own high-water mark would count earlier suites.
  let residentBytes: Int

  init(_ model: Model, inputs: [Int32], targets: [Int32], settings: Settings) throws {
    let (before, regionsBefore) = (ProcessUsage.current, Parallel.regionCount)
    forward = try milliseconds {
      try model.forward(
        inputs, targets: targets, batchSize: settings.batchSize, sequenceLength: settings.sequenceLength)
    }
    let afterForward = ProcessUsage.current
    backward = try milliseconds {
      model.zeroGradients()
      try model.backward()
    }
    let afterBackward = ProcessUsage.current
    update = try milliseconds { _ = try model.update(AdamW()) }
    let after = ProcessUsage.current
    total = forward + backward + update
    regions = Parallel.regionCount - regionsBefore
    pageFaults =
      after.minorPageFaults + after.majorPageFaults - before.minorPageFaults - before.majorPageFaults
    residentBytes = max(afterForward.residentBytes, afterBackward.residentBytes, after.residentBytes)
  }
}
