import Machine
import Tokens

/// What a model must compute for one batch, in llm.c's file format: the judge of `gpt2 verify`.
///
///     256 int32: 20240327, 2, B, T, 0...
///     inputs (B, T) int32, targets (B, T) int32, logits (B, T, V), loss, the sixteen gradients
///
/// All little-endian, numbers float32. The file does not say which model it belongs to, and the gradient of
/// wte has the rows of that model's Vp, whichever checkpoint version is compared: V, the configuration's Vp
/// or V rounded up to a multiple of 128, told apart by the file's size.
///
/// - SeeAlso: github.com/karpathy/llm.c, train_gpt2.py, `write_state`.
public struct DebugState: Sendable {
  /// B
  public let batchSize: Int
  /// T
  public let sequenceLength: Int
  /// (B, T)
  public let inputs: [Int32]
  /// (B, T)
  public let targets: [Int32]
  /// (B, T, V): the padded vocabulary is left out.
  public let logits: [Float]
  public let loss: Float
  /// By the names and with the shapes of `Parameter.shape`; rows of wte that the file lacks
  /// are zero.
  public let gradients: [String: [Float]]

  /// Reads the state of a model of this configuration.
  ///
  /// - Throws: `FormatError`, naming the field that is off. Sizes are checked before anything is allocated.
  public init(path: String, configuration: Configuration) throws(FormatError) {
    let file = try mapped(path)
    let header = try LLMHeader(file, path: path, magic: .debugState)
    try header.checkVersion([2])
    batchSize = header[2]
    sequenceLength = header[3]
    guard batchSize > 0 else {
      throw header.mismatch("the batch size", expected: "at least 1", found: "\(batchSize)")
    }
    guard (1...configuration.maximumSequenceLength).contains(sequenceLength) else {
      throw header.mismatch(
        "the sequence length", expected: "in 1...\(configuration.maximumSequenceLength), the model's context",
        found: "\(sequenceLength)")
    }
    // B and T are below 2³¹, so that their product fits; with V it may not.
    let positions = batchSize * sequenceLength
    let rows = try Self.embeddingRows(file.byteCount, positions, configuration, header)

    var reader = Reader(file: file, offset: LLMHeader.byteCount)
    inputs = reader.integers(positions)
    targets = reader.integers(positions)
    logits = reader.floats(positions * configuration.vocabularySize)
    loss = reader.floats(1)[0]
    gradients = try Self.gradients(&reader, rows: rows, configuration, header)
    try Self.check(inputs, name: "an input", configuration, header)
    try Self.check(targets, name: "a target", configuration, header)
  }

  /// The rows of wte's gradient, the only size that the file leaves open.
  private static func embeddingRows(
    _ found: Int, _ positions: Int, _ configuration: Configuration, _ header: LLMHeader
  ) throws(FormatError) -> Int {
    let vocabularySize = configuration.vocabularySize
    let (logitCount, overflow) = positions.multipliedReportingOverflow(by: vocabularySize)
    // A file holds at least the logits, so that more numbers than the file has bytes are too many.
    guard !overflow, logitCount <= found, positions <= found else {
      throw header.mismatch(
        "the file's size",
        expected:
          "that of \(positions) positions with the \(vocabularySize) logits of the checkpoint's vocabulary each",
        found: "\(found) bytes: another model's, or cut off")
    }
    let others = configuration.parameterCount - configuration.paddedVocabularySize * configuration.channels
    let expected = { (rows: Int) in
      LLMHeader.byteCount + 4 * (2 * positions + logitCount + 1 + rows * configuration.channels + others)
    }
    let padded = Configuration.paddedVocabulary(for: vocabularySize)
    let candidates = [configuration.paddedVocabularySize, vocabularySize, padded]
    if let rows = candidates.first(where: { expected($0) == found }) { return rows }
    let difference = (found - expected(padded)).magnitude
    throw header.mismatch(
      "the file's size",
      expected: "the \(expected(padded)) bytes of a state of a model of \(configuration.layers) layers, "
        + "\(configuration.channels) channels and \(vocabularySize) tokens, as the checkpoint's is",
      found:
        "\(found) bytes, \(difference) too \(found < expected(padded) ? "few" : "many"): another model's, or cut off"
    )
  }

  private static func gradients(
    _ reader: inout Reader, rows: Int, _ configuration: Configuration, _ header: LLMHeader
  ) throws(FormatError) -> [String: [Float]] {
    var gradients: [String: [Float]] = [:]
    for parameter in Parameter.allCases {
      let count = parameter.shape(configuration).reduce(1, *)
      guard parameter == .wte else {
        gradients[parameter.name] = reader.floats(count)
        continue
      }
      var gradient = reader.floats(rows * configuration.channels)
      if gradient.dropFirst(count).contains(where: { $0 != 0 }) {
        throw header.mismatch(
          "the gradient of wte",
          expected: "zero beyond the model's \(configuration.paddedVocabularySize) rows", found: "not")
      }
      if gradient.count > count { gradient.removeLast(gradient.count - count) }
      gradient += [Float](repeating: 0, count: count - gradient.count)
      gradients[parameter.name] = gradient
    }
    return gradients
  }

  private static func check(
    _ tokens: [Int32], name: String, _ configuration: Configuration, _ header: LLMHeader
  ) throws(FormatError) {
    let ids = 0..<Int32(configuration.vocabularySize)
    guard let position = tokens.firstIndex(where: { !ids.contains($0) }) else { return }
    throw header.mismatch(
      "\(name) token", expected: "in 0..<\(ids.upperBound)",
      found: "\(tokens[position]) at position \(position)")
  }
}

/// Reads numbers one after the other.
private struct Reader {
  let file: MappedFile
  var offset: Int

  mutating func integers(_ count: Int) -> [Int32] {
    let start = offset
    offset += 4 * count
    return file.withIntegers(Int32.self, at: start, count: count) { integers in
      integers.indices.map { integers[$0] }
    }
  }

  mutating func floats(_ count: Int) -> [Float] {
    let start = offset
    offset += 4 * count
    return file.withIntegers(UInt32.self, at: start, count: count) { patterns in
      patterns.indices.map { Float(bitPattern: patterns[$0]) }
    }
  }
}
