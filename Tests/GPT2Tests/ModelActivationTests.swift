import GPT2
import Machine
import Operators
import TestSupport
import Testing

/// The activations: what a pass shows, and what memory it takes.
@Suite struct ModelActivationTests {
  /// 24 channels in 3 heads, a vocabulary of 50 in 128 rows, positions up to 80.
  private static func model(threads: Int = 2) throws -> Model {
    let configuration = try Configuration(
      maximumSequenceLength: 80, vocabularySize: 50, layers: 2, heads: 3, channels: 24)
    let model = try Model(configuration: configuration, context: ExecutionContext(threads: threads))
    model.initialize(seed: 2)
    return model
  }

  private static func batch(_ batchSize: Int, _ sequenceLength: Int, seed: UInt64 = 8) -> TestBatch {
    TestBatch(seed: seed, vocabulary: 50, batchSize: batchSize, sequenceLength: sequenceLength)
  }

  /// A forward and a backward pass: every activation after the first, and the gradients.
  private static func trace(_ model: Model, _ batch: TestBatch) throws -> [String: [Float]] {
    try model.forward(batch)
    let tensors = try #require(model.activations).tensors
    var trace = Dictionary(uniqueKeysWithValues: tensors.map { ($0.name, $0.array()) })
    trace["loss"] = [try #require(model.meanLoss)]
    model.zeroGradients()
    try model.backward()
    for tensor in try model.gradients().tensors { trace["gradient " + tensor.name] = tensor.array() }
    trace["gradient logits"] = try model.activation("logits").array()
    return trace
  }

  // MARK: - Names and shapes

  @Test(arguments: [false, true])
  func namesAndShapes(keepsAttention: Bool) throws {
    let model = try Self.model()
    #expect(model.activations == nil)
    model.keepsAttention = keepsAttention
    try model.forward(Self.batch(4, 7))
    let activations = try #require(model.activations)
    var expected: [(String, [Int])] = [
      ("encoded", [4, 7, 24]), ("ln1", [2, 4, 7, 24]), ("ln1_mean", [2, 4, 7]), ("ln1_rstd", [2, 4, 7]),
      ("qkv", [2, 4, 7, 72]), ("atty", [2, 4, 7, 24]), ("att_lse", [2, 4, 3, 7]),
      ("residual2", [2, 4, 7, 24]),
      ("ln2", [2, 4, 7, 24]), ("ln2_mean", [2, 4, 7]), ("ln2_rstd", [2, 4, 7]), ("fch", [2, 4, 7, 96]),
      ("fch_gelu", [2, 4, 7, 96]), ("residual3", [2, 4, 7, 24]), ("lnf", [4, 7, 24]),
      ("lnf_mean", [4, 7]), ("lnf_rstd", [4, 7]), ("logits", [4, 7, 128]), ("losses", [4, 7]),
      ("logits_lse", [4, 7]),
    ]
    if keepsAttention { expected += [("preatt", [2, 4, 3, 7, 7]), ("att", [2, 4, 3, 7, 7])] }
    #expect(activations.tensors.map(\.name) == expected.map(\.0))
    #expect(activations.tensors.map(\.shape) == expected.map(\.1))
    #expect((activations.batchSize, activations.sequenceLength) == (4, 7))
    for (name, shape) in expected { #expect(activations[name]?.shape == shape) }
    #expect(activations["unknown"] == nil)
  }

  /// What a step keeps in 2 bytes, and of each layer; 4C·B·T floats for sums, and none of that in float32.
  @Test(arguments: OperandPrecision.allCases, [Recomputation.none, .elementwise])
  func halvesAndSums(precision: OperandPrecision, recomputation: Recomputation) throws {
    let model = try Model(
      configuration: Self.model().configuration, precision: precision, context: ExecutionContext(threads: 2))
    model.recomputation = recomputation
    let batch = Self.batch(4, 7)
    try model.train(
      batch.inputs, targets: batch.targets, batchSize: 4, sequenceLength: 7, optimizer: AdamW())
    let activations = try #require(model.activations)
    let isPaired = precision != .fp32
    for tensor in activations.tensors {
      let type: ElementType =
        switch tensor.name {
        case "fch": .float16
        case "ln1", "qkv", "atty", "ln2", "fch_gelu", "lnf": .bfloat16
        default: .float32
        }
      #expect(tensor.elementType == (isPaired ? type : .float32), "\(tensor.name)")
    }
    #expect(activations["sums"]?.shape == (isPaired ? [4, 7, 96] : nil))
    #expect(activations["fch"]?.shape == [2, 4, 7, 96])
    let isKept = !isPaired && recomputation == .none
    #expect(activations["fch_gelu"]?.shape == [isKept ? 2 : 1, 4, 7, 96])
  }

  /// A view shows the numbers of its tensor and no other's: each is what its neighbours in the pass make it.
  @Test func viewsHoldWhatTheirNamesSay() throws {
    let model = try Self.model()
    let batch = Self.batch(2, 5)
    try model.forward(batch)
    let (wte, wpe) = (try #require(model.parameters["wte"]), try #require(model.parameters["wpe"]))
    let expected = (0..<240).map { index in
      let (row, channel) = (index / 24, index % 24)
      return wte[Int(batch.inputs[row]) * 24 + channel] + wpe[row % 5 * 24 + channel]
    }
    #expect(firstDifference(try model.activation("encoded").array(), expected) == nil)
    // The stream after the last block is the one before it plus the projection of its hidden activations.
    let weight = model.parameters[ParameterPart(.fcprojw, layer: 1)]
    let bias = model.parameters[ParameterPart(.fcprojb, layer: 1)]
    let projection = try Arena([.init(name: "projection", shape: [240])]).tensors[0]
    Linear.forward(
      try model.activation("fch_gelu").slice(960..<1920).matrix(columns: 96),
      weight: weight.matrix(columns: 96), bias: bias, y: projection.matrix(columns: 24),
      context: model.context)
    let after = try model.activation("residual3").array()
    let before = try model.activation("residual2").array().suffix(240)
    let sums = zip(before, projection.array()).map { $0 + $1 }
    #expect(firstDifference(Array(after.suffix(240)), sums) == nil)
    // loss = log Σ exp − logit of the target, rounded once; logits are below 1 here, their log-sum-exp below 5.
    let (losses, lse) = (try model.activation("losses"), try model.activation("logits_lse"))
    let logits = try model.logits()
    for row in 0..<10 {
      let logit = logits[row * 50 + Int(batch.targets[row])]
      #expect(abs(Double(losses[row]) - (Double(lse[row]) - Double(logit))) <= 8 * 0x1p-24)
    }
  }

  // MARK: - Memory

  /// Smaller, larger and other shapes after one another, in memory that others have used: the bits are those of a
  /// model that has seen nothing else.
  @Test(arguments: [false, true])
  func reuseChangesNoBit(keepsAttention: Bool) throws {
    let model = try Self.model()
    for (index, sizes) in [(3, 70), (2, 5), (1, 1), (5, 9), (2, 5), (4, 80), (1, 70)].enumerated() {
      let batch = Self.batch(sizes.0, sizes.1, seed: UInt64(index))
      model.keepsAttention = keepsAttention
      let trace = try Self.trace(model, batch)
      let fresh = try Self.model()
      fresh.keepsAttention = keepsAttention
      #expect(firstDifference(trace, try Self.trace(fresh, batch)) == nil, "\(sizes)")
      #expect(try model.paddingIsZero(), "\(sizes)")
      // What the next pass finds is not zero anywhere.
      for tensor in try #require(model.activations).tensors { tensor.fill(.nan) }
    }
  }

  /// Views of old passes tell where new ones lie: both show the same number where the memory is the same.
  @Test func memoryIsReusedWhileARequestFits() throws {
    let model = try Self.model()
    try model.forward(Self.batch(3, 20))
    let first = try model.activation("encoded")
    for sizes in [(3, 20), (2, 20), (1, 7), (6, 10), (3, 20)] {
      try model.forward(Self.batch(sizes.0, sizes.1))
      let now = try model.activation("encoded")
      now[0] = 42
      #expect(first[0] == 42, "\(sizes) fits the memory at hand")
      first[0] = 0
    }
    try model.forward(Self.batch(4, 20))
    let larger = try model.activation("encoded")
    larger[0] = 43
    #expect(first[0] != 43, "60 positions do not hold 80")
    try model.forward(Self.batch(1, 3))
    try model.activation("encoded")[0] = 44
    #expect(larger[0] == 44)
  }

  @Test func gradientsAndMomentsAreAllocatedOnce() throws {
    let model = try Self.model()
    try model.train(Self.batch(2, 9))
    let (gradients, moments) = (try model.gradients(), try model.optimizerMoments())
    try model.train(Self.batch(4, 30))
    #expect(try model.gradients() === gradients)
    #expect(try model.optimizerMoments().first === moments.first)
    #expect(try model.optimizerMoments().second === moments.second)
  }

  /// Attention kept over 2²⁰ positions takes two tensors of 2⁴⁰ numbers, 8 TiB.
  @Test func moreThanMemoryIsRefused() throws {
    let length = 1 << 20
    let configuration = try Configuration(
      maximumSequenceLength: length, vocabularySize: 4, paddedVocabularySize: 4, layers: 1, heads: 1,
      channels: 1)
    let model = try Model(configuration: configuration, context: ExecutionContext(threads: 2))
    model.initialize()
    let batch = TestBatch(seed: 1, vocabulary: 4, batchSize: 1, sequenceLength: 8)
    try model.forward(batch)
    let logits = try model.logits()
    model.keepsAttention = true
    let tokens = [Int32](repeating: 1, count: length)
    #expect {
      try model.forward(tokens, targets: tokens, batchSize: 1, sequenceLength: length)
    } throws: { error in
      guard case .memory(.exceedsMemory(let requested, let available, _)) = error as? ModelError else {
        return false
      }
      // Beside attention, fewer than 64 numbers a position.
      return requested > available && (8 << 40..<8 << 40 + length * 64 * 4).contains(requested)
        && "\(error)".contains("(\(requested) bytes)") && "\(error)".contains("the activations: ")
    }
    #expect(model.activations == nil)
    #expect(throws: ModelError.noForwardPass) { try model.backward() }
    try model.forward(batch)
    #expect(firstDifference(try model.logits(), logits) == nil)
    try model.backward()
  }
}
