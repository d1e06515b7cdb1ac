import GPT2
import Operators
import Reference
import TestSupport
import Testing

/// What `zeroGradients`, `backward` and `gradients()` promise each other.
///
/// `tiny` has 22 positions: every sum over positions is one block of every operator, which is added to what is
/// already there in one rounding. Only the gradients of the embeddings are added to position by position.
@Suite struct ModelGradientTests {
  private let reference = ReferenceCase.tiny
  private let embeddings: Set<String> = ["wte", "wpe"]

  /// How far two sums of the same gradient may be apart: each is within rule 3 of the true one.
  private func tolerance(_ name: String) throws -> Double {
    2 * (try reference.expected().float32Tolerance("grad." + name))
  }

  @Test func zeroWhenRead() throws {
    let model = try reference.model()
    #expect(try model.gradients().all.array().allSatisfy { $0 == 0 })
    let batch = try reference.testBatch()
    let gradients = try model.freshGradients(batch)
    for (name, values) in gradients { #expect(values.contains { $0 != 0 }, "\(name)") }
    model.zeroGradients()
    #expect(try model.gradients().all.array().allSatisfy { $0 == 0 })
    #expect(firstDifference(try model.freshGradients(batch), gradients) == nil)
  }

  @Test func backwardAccumulates() throws {
    let model = try reference.model()
    let batch = try reference.testBatch()
    let once = try model.freshGradients(batch)
    try model.forward(batch)
    try model.backward()
    for tensor in try model.gradients().tensors {
      let double = try #require(once[tensor.name]).map { 2 * $0 }
      if embeddings.contains(tensor.name) {
        let difference = try maximumDifference(tensor.array(), double)
        #expect(difference.magnitude <= 2 * (try tolerance(tensor.name)), "\(tensor.name): \(difference)")
      } else {
        #expect(firstDifference(tensor.array(), double) == nil, "\(tensor.name)")
      }
    }
  }

  @Test func backwardAddsToWhatTheUserWrote() throws {
    let model = try reference.model()
    let batch = try reference.testBatch()
    let once = try model.freshGradients(batch)
    model.zeroGradients()
    var random = TestRandom(seed: 3)
    var expected: [String: [Float]] = [:]
    for tensor in try model.gradients().tensors {
      let values: [Float] = random.uniform(tensor.count, -0.1, 0.1)
      tensor.copy(from: values)
      expected[tensor.name] = zip(values, try #require(once[tensor.name])).map { $0 + $1 }
    }
    try model.forward(batch)
    try model.backward()
    for tensor in try model.gradients().tensors {
      let sums = try #require(expected[tensor.name])
      if embeddings.contains(tensor.name) {
        // At most 24 additions of positions to a row, each rounding a sum below 1.
        let allowed = try tolerance(tensor.name) + 24 * 0x1p-24
        let difference = try maximumDifference(tensor.array(), sums)
        #expect(difference.magnitude <= allowed, "\(tensor.name): \(difference), allowed \(allowed)")
      } else {
        #expect(firstDifference(tensor.array(), sums) == nil, "\(tensor.name)")
      }
    }
  }

  /// What was written before `zeroGradients` is gone, also where no backward pass writes: the padded rows of the
  /// embedding, and positions beyond T.
  @Test(arguments: [Float.nan, 1])
  func zeroGradientsForgetsWhatTheUserWrote(_ value: Float) throws {
    let model = try reference.model()
    let batch = try reference.testBatch()
    let expected = try model.freshGradients(batch)
    for tensor in try model.gradients().tensors { tensor.fill(value) }
    #expect(firstDifference(try model.freshGradients(batch), expected) == nil)
    #expect(try model.paddingIsZero())
  }

  /// Two halves of a batch, each with half the weight, make the whole.
  @Test(arguments: ReferenceCase.all.filter { $0.batchSize == 2 })
  func lossScaleAccumulatesParts(_ reference: ReferenceCase) throws {
    let expected = try reference.expected()
    let model = try reference.model()
    let batch = try reference.testBatch()
    for index in 0..<2 {
      try model.forward(batch.sequence(index))
      try model.backward(lossScale: 0.5)
    }
    for tensor in try model.gradients().tensors {
      let name = "grad." + tensor.name
      let values = try expected.values(name)
      // Rule 3, and one more rounding where the halves are added.
      let largest = values.reduce(0) { max($0, abs($1)) }
      let allowed = try expected.float32Tolerance(name) + 0x1p-24 * largest
      let difference = try maximumDifference(Array(tensor.array().prefix(values.count)), values)
      #expect(difference.magnitude <= allowed, "\(name): \(difference), allowed \(allowed)")
    }
  }

  /// A power of two scales without rounding: the very same bits, scaled.
  @Test func lossScaleScales() throws {
    let model = try reference.model()
    let batch = try reference.testBatch()
    let once = try model.freshGradients(batch)
    try model.forward(batch)
    model.zeroGradients()
    try model.backward(lossScale: 0.25)
    let scaled = try model.gradients().arrays
    #expect(firstDifference(scaled, once.mapValues { $0.map { $0 / 4 } }) == nil)
  }

  /// No pass has made room for what the update needs, here more than a context has from the start: a square for each
  /// row of C gradients, 128 of them in the padded embedding, where a context of one thread shares one number.
  @Test func updateNeedsNoPass() throws {
    let configuration = try Configuration(
      maximumSequenceLength: 1, vocabularySize: 29, layers: 1, heads: 1, channels: 64)
    let model = try Model(configuration: configuration, context: ExecutionContext(threads: 1))
    let tensor = try #require(try model.gradients()["lnfb"])
    tensor.fill(0.5)
    #expect(try model.update(AdamW(learningRate: 0.25)) == 4)
    #expect(try #require(model.parameters["lnfb"]).array().allSatisfy { abs($0 + 0.25) < 0x1p-20 })
    #expect(try #require(model.parameters["wte"]).array().allSatisfy { $0 == 0 })
  }

  /// Gradients that the user wrote are enough for an update.
  @Test(arguments: ReferenceCase.all)
  func updateTakesWhatTheUserWrote(_ reference: ReferenceCase) throws {
    let model = try reference.model()
    let before = model.parameters.arrays
    var random = TestRandom(seed: 9)
    for tensor in try model.gradients().tensors {
      let sizes: [Float] = random.uniform(tensor.count, 0.5, 1.5)
      tensor.copy(from: sizes.map { random.unit() < 0.5 ? -$0 : $0 })
    }
    let gradients = try model.gradients().arrays
    try model.update(AdamW(learningRate: 1e-3, weightDecay: 0.1))
    #expect(try model.gradients().arrays == gradients)
    let optimizer = ReferenceAdamW<Double>(learningRate: 1e-3, weightDecay: 0.1)
    for tensor in model.parameters.tensors {
      let start = try #require(before[tensor.name]).map(Double.init)
      var (expected, first) = (start, [Double](repeating: 0, count: tensor.count))
      var second = first
      optimizer.update(
        gradients: try #require(gradients[tensor.name]).map(Double.init), step: 1, parameters: &expected,
        firstMoment: &first, secondMoment: &second)
      let largest = start.reduce(1) { max($0, abs($1)) }
      // The step is lr·(±1 + 0.1·p), after at most 16 roundings; the parameter is rounded once.
      let allowed = 0x1p-24 * (16 * 1e-3 * (1 + 0.1 * largest) + largest)
      let difference = try maximumDifference(tensor.array(), expected)
      #expect(difference.magnitude <= allowed, "\(tensor.name): \(difference), allowed \(allowed)")
    }
  }
}
