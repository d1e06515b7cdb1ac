import Machine

/// Sequences of tokens, and what should follow each of them: checked once, here.
public struct Batch: Sendable {
  /// (B, T), row-major.
  public let inputs: BoundedIntegers
  /// (B, T); nil for inference.
  public let targets: BoundedIntegers?
  /// B
  public let batchSize: Int
  /// T
  public let sequenceLength: Int

  /// Takes what is known to lie in a vocabulary; no token is read.
  ///
  /// - Throws: `ModelError`: sizes below 1, T beyond the model's context, counts that differ from B·T, tokens of a
  ///   larger vocabulary.
  public init(
    _ inputs: BoundedIntegers, targets: BoundedIntegers? = nil, batchSize: Int, sequenceLength: Int,
    for configuration: Configuration
  ) throws(ModelError) {
    try Self.check(batchSize: batchSize, sequenceLength: sequenceLength, configuration)
    for (name, tokens) in [("inputs", inputs), ("targets", targets ?? inputs)] {
      try Self.check(tokens.count, name, batchSize, sequenceLength)
      guard tokens.bound <= configuration.vocabularySize else {
        throw .otherVocabulary(name: name, bound: tokens.bound, vocabularySize: configuration.vocabularySize)
      }
    }
    self.inputs = inputs
    self.targets = targets
    self.batchSize = batchSize
    self.sequenceLength = sequenceLength
  }

  /// Checks the tokens.
  ///
  /// - Throws: `ModelError` as above; for a token outside the vocabulary, which and where.
  public init(
    _ inputs: [Int32], targets: [Int32]? = nil, batchSize: Int, sequenceLength: Int,
    for configuration: Configuration
  ) throws(ModelError) {
    try Self.check(batchSize: batchSize, sequenceLength: sequenceLength, configuration)
    func checked(_ tokens: [Int32], _ name: String) throws(ModelError) -> BoundedIntegers {
      try Self.check(tokens.count, name, batchSize, sequenceLength)
      do { return try BoundedIntegers(tokens, below: configuration.vocabularySize) } catch {
        throw .tokenOutsideVocabulary(
          name: name, position: error.position, token: error.value, vocabularySize: error.bound)
      }
    }
    self.inputs = try checked(inputs, "inputs")
    self.targets = try targets.map { targets throws(ModelError) in try checked(targets, "targets") }
    self.batchSize = batchSize
    self.sequenceLength = sequenceLength
  }

  /// B·T
  var count: Int { inputs.count }

  static func check(
    batchSize: Int, sequenceLength: Int, _ configuration: Configuration
  ) throws(ModelError) {
    guard batchSize > 0 else { throw .notPositive(name: "batch size", size: batchSize) }
    guard sequenceLength > 0 else { throw .notPositive(name: "sequence length", size: sequenceLength) }
    guard sequenceLength <= configuration.maximumSequenceLength else {
      throw .sequenceTooLong(sequenceLength: sequenceLength, maximum: configuration.maximumSequenceLength)
    }
  }

  private static func check(
    _ found: Int, _ name: String, _ batchSize: Int, _ sequenceLength: Int
  ) throws(ModelError) {
    let (product, overflow) = batchSize.multipliedReportingOverflow(by: sequenceLength)
    let expected = overflow ? Int.max : product
    guard found == expected else { throw .wrongCount(name: name, expected: expected, found: found) }
  }
}
