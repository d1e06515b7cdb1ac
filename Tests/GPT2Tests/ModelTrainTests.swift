import GPT2
import Machine
import Operators
import TestSupport
import Testing
import Tokens

/// `train` and `evaluate` give the bits of the passes by themselves, which other tests judge against float64.
struct ModelTrainTests {
  private let optimizer = AdamW(learningRate: 1e-2, weightDecay: 0.01)

  /// More rows than one block of logits has, and not a multiple of it; sizes that no vector width divides.
  private func model(threads: Int = 2, vocabulary: Int = 131) throws -> Model {
    let configuration = try Configuration(
      maximumSequenceLength: 75, vocabularySize: vocabulary, paddedVocabularySize: vocabulary + 9, layers: 3,
      heads: 3,
      channels: 21)
    let model = try Model(configuration: configuration, context: ExecutionContext(threads: threads))
    model.initialize(seed: 5)
    return model
  }

  private func batch(_ seed: UInt64) -> TestBatch {
    TestBatch(seed: seed, vocabulary: 131, batchSize: 7, sequenceLength: 75)
  }

  /// Tokens that leave most of a large vocabulary out, in many gaps: a layer's products, of a task each, take two of what
  /// waits, so that the rows in those gaps keep the later layers' updates waiting until the layer asks for them.
  private func sparseBatch(_ seed: UInt64) -> TestBatch {
    TestBatch(seed: seed, vocabulary: 1000, batchSize: 2, sequenceLength: 16)
  }

  @discardableResult
  private func train(
    _ model: Model, _ batch: TestBatch, lossScale: Float = 1, clip: Double = 0
  ) throws -> StepResult {
    try model.train(
      batch.inputs, targets: batch.targets, batchSize: batch.batchSize, sequenceLength: batch.sequenceLength,
      lossScale: lossScale, optimizer: optimizer, clip: clip)
  }

  @discardableResult
  private func accumulate(_ model: Model, _ batch: TestBatch, lossScale: Float = 1) throws -> Float {
    try model.accumulate(
      batch.inputs, targets: batch.targets, batchSize: batch.batchSize, sequenceLength: batch.sequenceLength,
      lossScale: lossScale)
  }

  @Test(arguments: Recomputation.allCases, [1, 2, 3])
  func stepIsThatOfThePassesByThemselves(_ recomputation: Recomputation, _ threads: Int) throws {
    let (separate, whole) = (try model(threads: threads), try model(threads: threads))
    whole.recomputation = recomputation
    for step in 0..<3 {
      let batch = batch(UInt64(step))
      let (loss, norm) = try separate.train(batch, optimizer)
      whole.zeroGradients()
      let result = try train(whole, batch)
      #expect(result.loss == loss && result.gradientNorm == norm)
      #expect(whole.meanLoss == loss)
      #expect(firstDifference(try whole.gradients().arrays, try separate.gradients().arrays) == nil)
      #expect(firstDifference(whole.parameters.arrays, separate.parameters.arrays) == nil)
    }
    let (ours, theirs) = (try whole.optimizerMoments(), try separate.optimizerMoments())
    #expect(firstDifference(ours.first.arrays, theirs.first.arrays) == nil)
    #expect(firstDifference(ours.second.arrays, theirs.second.arrays) == nil)
  }

  @Test(arguments: [0, 0.01])
  func gradientsAccumulate(_ clip: Double) throws {
    let (separate, whole) = (try model(), try model())
    for step in 0..<2 {
      try separate.forward(batch(UInt64(step)))
      if step == 0 { separate.zeroGradients() }
      try separate.backward(lossScale: 0.5)
    }
    let norm = try separate.update(optimizer, clip: clip)
    whole.zeroGradients()
    try accumulate(whole, batch(0), lossScale: 0.5)
    // Not all of an update's batches are in: there is nothing to take.
    #expect(throws: ModelError.noGradients) { try whole.update(optimizer) }
    #expect(try train(whole, batch(1), lossScale: 0.5, clip: clip).gradientNorm == norm)
    #expect(firstDifference(whole.parameters.arrays, separate.parameters.arrays) == nil)
  }

  /// An update that is left due is taken on the way of the next pass, or when it is asked for: the bits are those of one
  /// that is taken at once.
  @Test(arguments: [0, 0.01], [1, 2, 3])
  func dueUpdatesAreTakenInTheNextPass(_ clip: Double, _ threads: Int) throws {
    try expectDueUpdates(clip: clip, { batch($0) }, { try model(threads: threads) })
    try expectDueUpdates(clip: clip, { sparseBatch($0) }, { try model(threads: threads, vocabulary: 1000) })
  }

  private func expectDueUpdates(
    clip: Double, _ batch: (UInt64) -> TestBatch, _ model: () throws -> Model
  ) throws {
    let (now, later) = (try model(), try model())
    let training = try later.training()
    for step in 0..<4 {
      let batch = batch(UInt64(step))
      now.zeroGradients()
      let expected = try train(now, batch, clip: clip)
      training.gradients.zero()
      let before = later.parameters.arrays
      let result = try training.step(
        Batch(
          batch.inputs, targets: batch.targets, batchSize: batch.batchSize,
          sequenceLength: batch.sequenceLength, for: later.configuration),
        optimizer: optimizer, clip: clip, leavingUpdateDue: true, in: later.workspace)
      #expect(result == expected)
      #expect(training.updateCount == step + 1)
      // The step has taken the update before it, and not its own.
      #expect((firstDifference(later.parameters.arrays, before) == nil) == (step == 0))
      #expect(firstDifference(later.parameters.arrays, now.parameters.arrays) != nil)
    }
    training.finishUpdate()
    #expect(firstDifference(later.parameters.arrays, now.parameters.arrays) == nil)
    for (slot, tensors) in try now.training().slots {
      #expect(firstDifference(try #require(training.slots[slot]).arrays, tensors.arrays) == nil)
    }
  }

  /// Parameters and count are as before, and there are no gradients to update with.
  @Test func aStepThatIsNotTakenLeavesNothing() throws {
    let (model, batch) = (try model(), batch(1))
    let (training, before) = (try model.training(), model.parameters.arrays)
    _ = try training.step(
      Batch(
        batch.inputs, targets: batch.targets, batchSize: batch.batchSize,
        sequenceLength: batch.sequenceLength, for: model.configuration),
      optimizer: optimizer, in: model.workspace, isTaken: { _ in false })
    #expect(model.updateCount == 0 && firstDifference(model.parameters.arrays, before) == nil)
    #expect(throws: ModelError.self) { _ = try training.update(optimizer) }
  }

  /// An update that is asked for comes after the one that is due, and does not replace it.
  @Test func anotherUpdateTakesTheDueOneFirst() throws {
    let (now, later) = (try model(), try model())
    let batch = batch(1)
    try train(now, batch)
    try now.update(optimizer)
    let training = try later.training()
    _ = try training.step(
      Batch(
        batch.inputs, targets: batch.targets, batchSize: batch.batchSize,
        sequenceLength: batch.sequenceLength, for: later.configuration),
      optimizer: optimizer, leavingUpdateDue: true, in: later.workspace)
    try later.update(optimizer)
    #expect(later.updateCount == 2)
    #expect(firstDifference(try state(later), try state(now)) == nil)
  }

  /// Whoever goes on with the model's own calls finds the update taken, and no gradient of it overwritten.
  @Test func theModelsCallsTakeADueUpdateFirst() throws {
    let (now, later) = (try model(), try model())
    for (model, isLeftDue) in [(now, false), (later, true)] {
      let (training, first) = (try model.training(), batch(0))
      _ = try training.step(
        Batch(
          first.inputs, targets: first.targets, batchSize: first.batchSize,
          sequenceLength: first.sequenceLength, for: model.configuration),
        optimizer: optimizer, leavingUpdateDue: isLeftDue, in: model.workspace)
    }
    let next = batch(1)
    for model in [now, later] {
      try model.forward(next)
      model.zeroGradients()
      try model.backward()
    }
    #expect(later.meanLoss == now.meanLoss)
    #expect(firstDifference(try later.gradients().arrays, try now.gradients().arrays) == nil)
    #expect(firstDifference(later.parameters.arrays, now.parameters.arrays) == nil)
  }

  /// Evaluation and samples leave what training left: the pass before them is still there.
  @Test func evaluationIsTheLossOfForwardAndDisturbsNothing() throws {
    let (model, other) = (try model(), try model())
    let batch = batch(1)
    try model.forward(batch)
    let loss = try #require(model.meanLoss)
    let activations = try #require(model.activations).tensors.map { $0.array() }
    let evaluated = try model.evaluate(
      batch.inputs, targets: batch.targets, batchSize: batch.batchSize, sequenceLength: batch.sequenceLength)
    #expect(evaluated == loss && model.meanLoss == loss)
    var generator = XorshiftGenerator(seed: 3)
    _ = try model.sample(after: [1, 2], length: 9, generator: &generator)
    for (tensor, before) in zip(try #require(model.activations).tensors, activations) {
      #expect(firstDifference(tensor.array(), before) == nil, "\(tensor.name)")
    }
    try model.backward()
    #expect(firstDifference(try model.gradients().arrays, try other.freshGradients(batch)) == nil)
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
      try accumulate(model, batch)
      counts.append(floats())
      #expect(model.activations?["logits"]?.shape == [384, 140])
    }
    #expect(counts == counts.sorted(by: >) && Set(counts).count == counts.count)
  }

  /// A loss that is not finite ends the step before anything is updated.
  @Test func nonFiniteLossUpdatesNothing() throws {
    let model = try model()
    try train(model, batch(1))
    model.parameters["lnfb"]?.fill(.infinity)
    let before = try state(model)
    #expect { try train(model, batch(0)) } throws: { error in
      guard case ModelError.nonFiniteLoss(let loss) = error else { return false }
      return !loss.isFinite
    }
    #expect(firstDifference(try state(model), before) == nil)
    #expect(model.updateCount == 1)
    // Also what other batches of the update had added counts as zero.
    #expect(throws: ModelError.noGradients) { try model.update(optimizer) }
    #expect(try model.gradients().all.array().allSatisfy { $0 == 0 })
  }

  /// So does a gradient, also one that is found when all others have been measured: a loss scale of 3e38 leaves the
  /// loss as it is, and the gradients' squares exceed float32.
  @Test(arguments: [0, 1.0])
  func nonFiniteGradientsUpdateNothing(_ clip: Double) throws {
    let model = try model()
    try train(model, batch(1))
    model.zeroGradients()
    let before = try state(model)
    #expect(throws: ModelError.nonFiniteGradients(step: 2)) {
      try train(model, batch(0), lossScale: 3e38, clip: clip)
    }
    #expect(firstDifference(try state(model), before) == nil)
    #expect(model.updateCount == 1)
    // The next step is that of a model to which this never happened.
    let other = try self.model()
    try train(other, batch(1))
    other.zeroGradients()
    #expect(try train(model, batch(2)) == train(other, batch(2)))
    #expect(firstDifference(try state(model), try state(other)) == nil)
  }

  /// Parameters and both moments.
  private func state(_ model: Model) throws -> [String: [Float]] {
    let (first, second) = try model.optimizerMoments()
    return model.parameters.arrays
      .merging(first.arrays.map { ("m " + $0, $1) }) { $1 }
      .merging(second.arrays.map { ("v " + $0, $1) }) { $1 }
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
