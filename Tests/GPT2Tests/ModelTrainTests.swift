import GPT2
import Machine
import Operators
import TestSupport
import Testing

/// `train` and `evaluate` give the bits of the passes by themselves, which other tests judge against float64.
struct ModelTrainTests {
  private let optimizer = AdamW(learningRate: 1e-2, weightDecay: 0.01)

  /// More rows than one block of logits has, and not a multiple of it; sizes that no vector width divides.
  private func model(threads: Int = 2) throws -> Model {
    let configuration = try Configuration(
      maximumSequenceLength: 75, vocabularySize: 131, paddedVocabularySize: 140, layers: 3, heads: 3,
      channels: 21)
    let model = try Model(configuration: configuration, context: ExecutionContext(threads: threads))
    model.initialize(seed: 5)
    return model
  }

  private func batch(_ seed: UInt64) -> TestBatch {
    TestBatch(seed: seed, vocabulary: 131, batchSize: 7, sequenceLength: 75)
  }

  private func train(_ model: Model, _ batch: TestBatch, optimizer: AdamW?, lossScale: Float = 1) throws
    -> Double?
  {
    try model.train(
      batch.inputs, targets: batch.targets, batchSize: batch.batchSize, sequenceLength: batch.sequenceLength,
      lossScale: lossScale, optimizer: optimizer)
  }

  @Test(arguments: Recomputation.allCases, [1, 2, 3])
  func stepIsThatOfThePassesByThemselves(_ recomputation: Recomputation, _ threads: Int) throws {
    let (separate, whole) = (try model(threads: threads), try model(threads: threads))
    whole.recomputation = recomputation
    for step in 0..<3 {
      let batch = batch(UInt64(step))
      let (loss, norm) = try separate.train(batch, optimizer)
      whole.zeroGradients()
      #expect(try train(whole, batch, optimizer: optimizer) == norm)
      #expect(whole.meanLoss == loss)
      #expect(firstDifference(try whole.gradients().arrays, try separate.gradients().arrays) == nil)
      #expect(firstDifference(whole.parameters.arrays, separate.parameters.arrays) == nil)
    }
    let (ours, theirs) = (try whole.optimizerMoments(), try separate.optimizerMoments())
    #expect(firstDifference(ours.first.arrays, theirs.first.arrays) == nil)
    #expect(firstDifference(ours.second.arrays, theirs.second.arrays) == nil)
  }

  @Test func gradientsAccumulate() throws {
    let (separate, whole) = (try model(), try model())
    for step in 0..<2 {
      try separate.forward(batch(UInt64(step)))
      if step == 0 { separate.zeroGradients() }
      try separate.backward(lossScale: 0.5)
    }
    let norm = try separate.update(optimizer)
    whole.zeroGradients()
    #expect(try train(whole, batch(0), optimizer: nil, lossScale: 0.5) == nil)
    #expect(try train(whole, batch(1), optimizer: optimizer, lossScale: 0.5) == norm)
    #expect(firstDifference(whole.parameters.arrays, separate.parameters.arrays) == nil)
  }

  @Test func evaluationIsTheLossOfForward() throws {
    let model = try model()
    let batch = batch(1)
    try model.forward(batch)
    let loss = try #require(model.meanLoss)
    let evaluated = try model.evaluate(
      batch.inputs, targets: batch.targets, batchSize: batch.batchSize, sequenceLength: batch.sequenceLength)
    #expect(evaluated == loss)
    #expect(model.meanLoss == loss)
    #expect(throws: ModelError.noForwardPass) { try model.backward() }
  }

  /// The more is computed again, the less is kept; logits are whole after `forward` alone.
  @Test func recomputationKeepsLess() throws {
    let (model, batch) = (try model(), batch(1))
    func floats() -> Int { model.activations?.tensors.reduce(0) { $0 + $1.count } ?? 0 }
    try model.forward(batch)
    var counts = [floats()]
    #expect(model.activations?["logits"]?.shape == [7, 75, 140])
    for recomputation in Recomputation.allCases {
      model.recomputation = recomputation
      _ = try train(model, batch, optimizer: nil)
      counts.append(floats())
      #expect(model.activations?["logits"]?.shape == [384, 140])
    }
    #expect(counts == counts.sorted(by: >) && Set(counts).count == counts.count)
  }

  /// A loss that is not finite ends the step before anything is updated.
  @Test func nonFiniteLossUpdatesNothing() throws {
    let model = try model()
    model.parameters["lnfb"]?.fill(.infinity)
    let before = model.parameters.arrays
    #expect { try train(model, batch(0), optimizer: optimizer) } throws: { error in
      guard case ModelError.nonFiniteLoss(let loss) = error else { return false }
      return !loss.isFinite
    }
    #expect(firstDifference(model.parameters.arrays, before) == nil)
    #expect(model.updateCount == 0)
  }
}

struct RecomputationTests {
  /// One sequence of a tiny model fits a sixteenth of any machine; a million of GPT-2's does not, nor what cannot be
  /// counted.
  @Test func automaticChoiceFollowsMemory() throws {
    let tiny = try Configuration(
      maximumSequenceLength: 8, vocabularySize: 3, layers: 1, heads: 1, channels: 2)
    #expect(Recomputation.automatic(tiny, batchSize: 1, sequenceLength: 8) == .none)
    let large = try Configuration.preset(named: "gpt2-1558M")
    #expect(Recomputation.automatic(large, batchSize: 1 << 20, sequenceLength: 1024) == .elementwise)
    #expect(Recomputation.automatic(large, batchSize: 1 << 50, sequenceLength: 1024) == .elementwise)
  }
}
