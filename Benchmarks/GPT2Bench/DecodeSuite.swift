import GPT2
import JSON
import Machine
import Operators
import Terminal

extension Session {
  /// Tokens one after another, after a prompt: of one sequence, and of B together; in another precision than float32
  /// beside float32's.
  func decodeSection() throws -> Section {
    guard configuration.maximumSequenceLength > 1 else {
      return Section(
        title: "decode", rows: { [] }, notes: ["a context of one token has no room for a second"])
    }
    let network = try model().network
    let networks = settings.precision == .fp32 ? [network] : [network.inFloat32, network]
    let rows = try Set([1, settings.batchSize]).sorted().flatMap { sequences in
      try networks.map { try decodeRow($0, sequences: sequences) }
    }
    return Section(
      title: "decode", columns: ["tokens/s"], rows: { rows },
      notes: [
        "the bytes of a step are all weights once and the keys and values of what came before, for each sequence"
      ])
  }

  private func decodeRow(_ network: Network, sequences: Int) throws -> Row {
    let decoder = try Decoder(network, sequences: sequences)
    // Room for a token at least.
    let prompt = Array(tokens(seed: 3).prefix(min(settings.sequenceLength, decoder.capacity - 1)))
    let all = Array(0..<sequences)
    func begin() throws {
      _ = try decoder.prefill(prompt)
      if sequences > 1 { decoder.copy(0, to: Array(1..<sequences)) }
    }
    try begin()
    var positions = 0
    let times = try warm("decode") {
      if decoder.lengths[0] == decoder.capacity { try begin() }
      positions = max(positions, decoder.lengths[0] + 1)
      let next = [Int32](repeating: prompt[0], count: sequences)
      return try milliseconds { _ = try decoder.append(next, to: all) }
    }
    let (timing, precision) = (Timing(times), network.precision)
    let rate = Double(sequences) / timing.median * 1e3
    let suffix = precision == .fp32 ? "" : ", \(precision.rawValue)"
    return Row(
      suite: .decode, name: "decode, \(NumberText.count(sequences, "sequence"))\(suffix)", timing: timing,
      cost: .traffic(bytes(precision, positions: positions * sequences)),
      fields: [
        ("model", .text(settings.modelName)), ("weights", .text(precision.rawValue)),
        ("batch_size", .integer(sequences)), ("prompt", .integer(prompt.count)),
        ("tokens_per_second", .double(rate)),
      ],
      cells: [.number(rate)])
  }

  /// What a step reads: all parameters but those of other positions and what pads the vocabulary, and the cache.
  private func bytes(_ precision: OperandPrecision, positions: Int) -> Double {
    let (layers, channels) = (configuration.layers, configuration.channels)
    let others = (configuration.maximumSequenceLength - 1) * channels
    let parameters = ModelText.usedParameterCount(configuration) - others
    let weights = 12 * layers * channels * channels + configuration.vocabularySize * channels
    let operands = weights + 2 * layers * channels * positions
    return Double(4 * (parameters - weights) + (precision.pairedOrder == nil ? 4 : 2) * operands)
  }
}
