import GPT2
import Machine
import Operators
import Reference
import TestSupport
import Testing

/// Training with dropout: the plain loops with the same masks, and the same bits everywhere.
@Suite struct ModelDropoutTests {
  // Past a block of queries and the 64 columns of a vector of counters; heads of 11 channels.
  private static let sizes = ReferenceConfiguration(
    maximumSequenceLength: 133, vocabulary: 301, paddedVocabulary: 307, layers: 2, heads: 3, channels: 33)
  private static let batch = TestBatch(seed: 4, vocabulary: 301, batchSize: 3, sequenceLength: 131)
  private static let parameters = PlainPass.parameters(sizes, seed: 6, deviation: 0.2)
  private static let (probability, seed, pass) = (0.2, UInt64(1) << 40 + 9, 1234)
  private static let plainDropout = ReferenceDropout(
    threshold: UInt32(0.2 * 0x1p32), seed: seed, pass: UInt32(pass))

  private static func dropout(pass: Int = pass) throws -> Dropout {
    try #require(Dropout(probability: probability, seed: seed, pass: pass))
  }

  private static func model(
    _ precision: OperandPrecision = .fp32, _ context: ExecutionContext
  ) throws -> Model {
    let model = try Model(
      configuration: Configuration(
        maximumSequenceLength: sizes.maximumSequenceLength, vocabularySize: sizes.vocabulary,
        paddedVocabularySize: sizes.paddedVocabulary, layers: sizes.layers, heads: sizes.heads,
        channels: sizes.channels), precision: precision, context: context)
    for tensor in model.parameters.tensors { tensor.copy(from: try #require(parameters[tensor.name])) }
    return model
  }

  private static func batch(of model: Model, _ batch: TestBatch = batch) throws -> Batch {
    try Batch(
      batch.inputs, targets: batch.targets, batchSize: batch.batchSize, sequenceLength: batch.sequenceLength,
      for: model.configuration)
  }

  /// The loss and each gradient of one batch.
  private static func gradients(
    _ model: Model, _ dropout: Dropout?, _ recomputation: Recomputation = .none
  ) throws -> [String: [Float]] {
    let training = try model.training()
    training.gradients.zero()
    let loss = try training.accumulate(
      try batch(of: model), lossScale: 1, recomputation: recomputation, dropout: dropout, in: model.workspace)
    var trace = ["loss": [loss]]
    for (name, values) in try model.gradients().arrays { trace["gradient " + name] = values }
    return trace
  }

  // MARK: - Against float64

  /// The tolerances of rule 3, with the plain loops in float32 in PyTorch's place.
  @Test(arguments: InstructionSet.available) func passes(_ instructionSet: InstructionSet) throws {
    let plain = PlainPass(
      Self.sizes, parameters: Self.parameters, activation: .gelu, batch: Self.batch,
      dropout: Self.plainDropout)
    #expect(Self.plainDropout.threshold == (try Self.dropout()).threshold)
    let model = try Self.model(.fp32, ExecutionContext(threads: 2, instructionSet: instructionSet))
    let found = try Self.gradients(model, Self.dropout())
    let tolerances = try float32Tolerances(exact: plain.exact, float32: plain.float32)
    #expect(found.count == 17)
    for (name, values) in found {
      let difference = try maximumDifference(values, plain.exact[name, default: []])
      let allowed = tolerances[name, default: 0]
      #expect(difference.magnitude <= allowed, "\(name): \(difference), allowed \(allowed)")
    }
    // Without dropout it is another function.
    let without = try Self.gradients(model, nil)
    let difference = try maximumDifference(without["loss", default: []], plain.exact["loss", default: []])
    #expect(difference.magnitude > 100 * tolerances["loss", default: 0])
  }

  /// In bfloat16 what is left, once the plain loops round where the model does, is a part of what rounding does:
  /// `ModelRoundingTests` says why a quarter, and why of one layer.
  @Test(arguments: InstructionSet.available, [OperandPrecision.bf16, .bf16AMX])
  func passesInBFloat16(_ instructionSet: InstructionSet, _ precision: OperandPrecision) throws {
    let sizes = ReferenceConfiguration(
      maximumSequenceLength: 12, vocabulary: 61, paddedVocabulary: 64, layers: 1, heads: 3, channels: 36)
    let parameters = PlainPass.parameters(sizes, seed: 11, deviation: 0.2)
    let batch = TestBatch(seed: 3, vocabulary: 61, batchSize: 3, sequenceLength: 11)
    func plain(_ operands: ReferenceOperands) -> [String: [Double]] {
      var plain = ReferenceModel<Double>(
        configuration: sizes, parameters: parameters.mapValues { $0.map(Double.init) }, operands: operands)
      plain.dropout = Self.plainDropout
      _ = plain.forward(
        batch.inputs, targets: batch.targets, batchSize: batch.batchSize, sequenceLength: batch.sequenceLength
      )
      plain.backward()
      return plain.gradients
    }
    let model = try Model(
      configuration: Configuration(
        maximumSequenceLength: 12, vocabularySize: 61, paddedVocabularySize: 64, layers: 1, heads: 3,
        channels: 36), precision: precision,
      context: ExecutionContext(threads: 2, instructionSet: instructionSet))
    for tensor in model.parameters.tensors { tensor.copy(from: try #require(parameters[tensor.name])) }
    _ = try model.training().accumulate(
      try Self.batch(of: model, batch), lossScale: 1, dropout: Self.dropout(), in: model.workspace)
    let found = try model.gradients().arrays
    let (rounded, exact) = (plain(.bfloat16), plain(.exact))
    for (name, expected) in rounded {
      let values = try #require(found[name])
      let (left, whole) = (distance(values, expected), distance(values, try #require(exact[name])))
      #expect(left <= 0.25 * whole, "\(name): \(left) of \(whole)")
    }
  }

  /// Root mean square of a − b.
  private func distance(_ a: [Float], _ b: [Double]) -> Double {
    (zip(a, b).map { (Double($0) - $1) * (Double($0) - $1) }.reduce(0, +) / Double(b.count)).squareRoot()
  }

  // MARK: - The same bits

  /// Two updates of two batches each.
  private static func trace(
    _ model: Model, _ recomputation: Recomputation = .none
  ) throws -> [String: [Float]] {
    var trace: [String: [Float]] = [:]
    let training = try model.training()
    for step in 0..<2 {
      training.gradients.zero()
      let first = try training.accumulate(
        try batch(of: model), lossScale: 0.5, recomputation: recomputation, dropout: dropout(pass: 2 * step),
        in: model.workspace)
      let second = try training.step(
        batch(of: model), lossScale: 0.5, optimizer: AdamW(learningRate: 1e-3), recomputation: recomputation,
        dropout: dropout(pass: 2 * step + 1), leavingUpdateDue: true, in: model.workspace)
      // The same batch and other masks.
      #expect(step > 0 || first != second.loss)
      trace["\(step)"] = [first, second.loss, Float(second.gradientNorm)]
    }
    training.finishUpdate()
    return trace.merging(model.parameters.arrays) { $1 }
  }

  @Test(arguments: OperandPrecision.allCases) func theSameBitsEverywhere(_ precision: OperandPrecision) throws
  {
    let expected = try Self.trace(try Self.model(precision, ExecutionContext(threads: 1)))
    for set in InstructionSet.available {
      for threads in [1, 2, 8] {
        let model = try Self.model(precision, ExecutionContext(threads: threads, instructionSet: set))
        #expect(firstDifference(try Self.trace(model), expected) == nil, "\(set), \(threads)")
      }
    }
    for recomputation in Recomputation.allCases {
      let model = try Self.model(precision, ExecutionContext(threads: 2))
      #expect(firstDifference(try Self.trace(model, recomputation), expected) == nil, "\(recomputation)")
    }
  }

  // MARK: - Where nothing is dropped

  /// A pass without dropout, evaluation and the calls of the original program have none, whatever came before them.
  @Test(arguments: OperandPrecision.allCases) func nothingIsLeftOfIt(_ precision: OperandPrecision) throws {
    let (model, other) = try (
      Self.model(precision, ExecutionContext(threads: 2)), Self.model(precision, ExecutionContext(threads: 2))
    )
    let expected = try Self.gradients(other, nil)
    #expect(firstDifference(try Self.gradients(model, Self.dropout()), expected) != nil)
    #expect(firstDifference(try Self.gradients(model, nil), expected) == nil)
    _ = try Self.gradients(model, Self.dropout())
    let (batch, loss) = (Self.batch, try #require(expected["loss"]))
    #expect(
      try model.evaluate(
        batch.inputs, targets: batch.targets, batchSize: batch.batchSize, sequenceLength: batch.sequenceLength
      )
        == loss[0])
    #expect(firstDifference(try model.freshGradients(batch), try other.gradients().arrays) == nil)
  }
}
