import GPT2
import Machine
import Operators
import TestSupport
import Testing

/// Passes whose program is ahead of the regions that it describes: nothing of it looks at what they have yet to compute.
///
/// The threads of one that is recorded are a team, and of a team of one the leader alone runs tasks: when sixteen regions
/// are described, or when he waits. That is as late as they may be.
@Suite struct AheadTests {
  private static let batch = TestBatch(seed: 8, vocabulary: 401, batchSize: 2, sequenceLength: 70)

  private static func model(_ precision: OperandPrecision, isAhead: Bool) throws -> Model {
    let context = try ExecutionContext(threads: 1)
    if isAhead { context.recorder = Recorder(slots: 1) }
    let model = try Model(
      configuration: Configuration(
        maximumSequenceLength: 80, vocabularySize: 401, layers: 3, heads: 2, channels: 96),
      precision: precision, context: context)
    model.initialize(seed: 12)
    return model
  }

  private static func batch(_ model: Model) throws -> Batch {
    try Batch(
      batch.inputs, targets: batch.targets, batchSize: batch.batchSize, sequenceLength: batch.sequenceLength,
      for: model.configuration)
  }

  /// Steps whose updates are taken beside the next, after one whose gradients are those of two batches.
  private static func steps(_ model: Model, _ recomputation: Recomputation) throws -> [String: [Float]] {
    let (training, batch) = (try model.training(), try batch(model))
    var numbers: [Float] = []
    for step in 0..<3 {
      training.gradients.zero()
      if step == 0 {
        numbers.append(
          try training.accumulate(batch, lossScale: 0.5, recomputation: recomputation, in: model.workspace))
      }
      let result = try training.step(
        batch, lossScale: step == 0 ? 0.5 : 1, optimizer: AdamW(learningRate: 1e-3), clip: 0.5,
        recomputation: recomputation, dropout: Dropout(probability: 0.1, seed: 3, pass: step),
        leavingUpdateDue: true, in: model.workspace)
      numbers += [result.loss, Float(result.gradientNorm)]
    }
    training.finishUpdate()
    return model.parameters.arrays.merging(["steps": numbers]) { first, _ in first }
  }

  @Test(arguments: OperandPrecision.allCases, Recomputation.allCases)
  func stepsHaveTheSameBits(_ precision: OperandPrecision, _ recomputation: Recomputation) throws {
    let ahead = try Self.model(precision, isAhead: true)
    let found = try Self.steps(ahead, recomputation)
    let expected = try Self.steps(try Self.model(precision, isAhead: false), recomputation)
    #expect(firstDifference(found, expected) == nil)
    // There were regions to be ahead of.
    #expect(try #require(ahead.context.recorder).regions.count > 3 * Simulation.most)
  }

  /// Passes one by one, the loss of one without gradients, and logits that a prompt and its continuation have.
  @Test(arguments: OperandPrecision.allCases) func passesHaveTheSameBits(_ precision: OperandPrecision) throws
  {
    func trace(_ model: Model) throws -> [String: [Float]] {
      model.keepsAttention = precision == .fp32
      try model.forward(Self.batch)
      let loss = try #require(model.meanLoss)
      let activations = precision == .fp32 ? try #require(model.activations).tensors : []
      let forward = activations.flatMap { $0.array() }
      model.zeroGradients()
      try model.backward()
      var trace = try model.gradients().arrays
      trace["forward"] = forward
      let evaluated = try model.evaluate(
        Self.batch.inputs, targets: Self.batch.targets, batchSize: Self.batch.batchSize,
        sequenceLength: Self.batch.sequenceLength)
      trace["losses"] = [loss, evaluated]
      let decoder = try Decoder(model.network)
      trace["prompt"] = try decoder.prefill([1, 5, 2]).values
      trace["token"] = try decoder.append([7], to: [0]).values
      return trace
    }
    let found = try trace(try Self.model(precision, isAhead: true))
    #expect(firstDifference(found, try trace(try Self.model(precision, isAhead: false))) == nil)
  }
}

extension Matrix {
  fileprivate var values: [Float] { (0..<rows).flatMap { self[$0..<$0 + 1].flat.array() } }
}
