import Foundation
import GPT2
import Machine
import Operators

/// One batch, as `Model.forward` takes it.
public struct TestBatch: Sendable {
  public var inputs, targets: [Int32]
  public var batchSize, sequenceLength: Int

  public init(inputs: [Int32], targets: [Int32], batchSize: Int, sequenceLength: Int) {
    self.inputs = inputs
    self.targets = targets
    self.batchSize = batchSize
    self.sequenceLength = sequenceLength
  }

  /// Random tokens, each followed by the next as its target.
  public init(seed: UInt64, vocabulary: Int, batchSize: Int, sequenceLength: Int) {
    var random = TestRandom(seed: seed)
    let tokens = random.tokens(batchSize * sequenceLength + 1, vocabulary: vocabulary)
    self.init(
      inputs: Array(tokens.dropLast()), targets: Array(tokens.dropFirst()), batchSize: batchSize,
      sequenceLength: sequenceLength)
  }

  /// Sequence `index` alone: a batch of one.
  public func sequence(_ index: Int) -> TestBatch {
    let range = index * sequenceLength..<(index + 1) * sequenceLength
    return TestBatch(
      inputs: Array(inputs[range]), targets: Array(targets[range]), batchSize: 1,
      sequenceLength: sequenceLength)
  }
}

extension ReferenceCase {
  /// A model with the parameters of one of the case's checkpoints.
  public func model(
    _ checkpoint: (ReferenceCase) -> URL = { $0.model }, threads: Int = 2,
    instructionSet: InstructionSet = .best
  ) throws -> Model {
    try Model(
      checkpoint: Checkpoint(path: checkpoint(self).path),
      context: ExecutionContext(threads: threads, instructionSet: instructionSet))
  }

  /// The batch of a step counted from 0.
  public func testBatch(_ step: Int = 0) throws -> TestBatch {
    let (inputs, targets) = try batch(step)
    return TestBatch(
      inputs: inputs, targets: targets, batchSize: batchSize, sequenceLength: sequenceLength)
  }
}

extension Model {
  public func forward(_ batch: TestBatch) throws(ModelError) {
    try forward(
      batch.inputs, targets: batch.targets, batchSize: batch.batchSize, sequenceLength: batch.sequenceLength)
  }

  /// Forward, zeroed gradients, backward, update.
  /// - Returns: the loss before the update, and the norm of the gradients.
  @discardableResult
  public func train(
    _ batch: TestBatch, _ optimizer: AdamW = AdamW(weightDecay: 0.01), clip: Double = 0
  ) throws -> (loss: Float, norm: Double) {
    try forward(batch)
    guard let loss = meanLoss else { throw TestFileError("expected a loss, found none") }
    zeroGradients()
    try backward()
    return (loss, try update(optimizer, clip: clip))
  }

  /// The activation of this name.
  public func activation(_ name: String) throws -> Tensor {
    guard let tensor = activations?[name] else { throw TestFileError("expected the activation \(name)") }
    return tensor
  }

  /// The gradients of one batch, those of other passes forgotten.
  public func freshGradients(_ batch: TestBatch) throws -> [String: [Float]] {
    try forward(batch)
    zeroGradients()
    try backward()
    return try gradients().arrays
  }

  /// (B, T, V): the logits without the padded columns.
  public func logits() throws -> [Float] {
    let padded = configuration.paddedVocabularySize
    let all = try activation("logits").array()
    return stride(from: 0, to: all.count, by: padded).flatMap { row in
      all[row..<row + configuration.vocabularySize]
    }
  }

  /// Whether what pads the vocabulary is zero: rows of `wte` in parameters, gradients and moments, columns of
  /// `logits`.
  public func paddingIsZero() throws -> Bool {
    let real = configuration.vocabularySize * configuration.channels
    let (first, second) = try optimizerMoments()
    for tensors in [parameters, try gradients(), first, second] {
      guard tensors[.wte].array().dropFirst(real).allSatisfy({ $0 == 0 }) else { return false }
    }
    let logits = try activation("logits").array()
    return logits.indices.allSatisfy { index in
      index % configuration.paddedVocabularySize < configuration.vocabularySize || logits[index] == 0
    }
  }
}

extension ParameterTensors {
  /// Copies of all tensors by name.
  public var arrays: [String: [Float]] {
    Dictionary(uniqueKeysWithValues: tensors.map { ($0.name, $0.array()) })
  }
}

/// The first place where two arrays differ in a bit, or nil: to compare what is too long to print.
public func firstDifference(_ actual: [Float], _ expected: [Float]) -> String? {
  guard actual.count == expected.count else { return "\(actual.count) values instead of \(expected.count)" }
  guard let index = actual.indices.first(where: { actual[$0].bitPattern != expected[$0].bitPattern }) else {
    return nil
  }
  return "\(actual[index]) instead of \(expected[index]) at \(index)"
}

/// The first tensor and place where two sets of tensors differ in a bit, or nil.
public func firstDifference(_ actual: [String: [Float]], _ expected: [String: [Float]]) -> String? {
  guard actual.keys.sorted() == expected.keys.sorted() else { return "other names" }
  for name in actual.keys.sorted() {
    if let difference = firstDifference(actual[name, default: []], expected[name, default: []]) {
      return "\(name): \(difference)"
    }
  }
  return nil
}
