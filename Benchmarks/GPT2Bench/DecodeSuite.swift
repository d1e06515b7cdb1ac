import GPT2
import JSON
import Machine
import Operators
import Terminal

extension Session {
  /// Tokens one after another, after a prompt: of one sequence, and of B together.
  func decodeSection() throws -> Section {
    guard configuration.maximumSequenceLength > 1 else {
      return Section(
        title: "decode", rows: { [] }, notes: ["a context of one token has no room for a second"])
    }
    let model = try model()
    let rows = try Set([1, settings.batchSize]).sorted().map { try decodeRow(model.network, sequences: $0) }
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
    let timing = Timing(times)
    let rate = Double(sequences) / timing.median * 1e3
    let cache = 8 * configuration.layers * configuration.channels * positions * sequences
    return Row(
      suite: .decode, name: "decode, \(NumberText.count(sequences, "sequence"))", timing: timing,
      cost: .traffic(Double(weightBytes + cache)),
      fields: [
        ("model", .text(settings.modelName)), ("weights", .text("fp32")), ("batch_size", .integer(sequences)),
        ("prompt", .integer(prompt.count)), ("tokens_per_second", .double(rate)),
      ],
      cells: [.number(rate)])
  }

  /// Bytes of what every token reads: all parameters but those of other positions and what pads the vocabulary.
  private var weightBytes: Int {
    let others = (configuration.maximumSequenceLength - 1) * configuration.channels
    return 4 * (ModelText.usedParameterCount(configuration) - others)
  }
}
