import GPT2
import Operators
import TestSupport
import Testing

/// Rule 2 of Documentation/numerical-rules.md: the same bits, whatever the instruction set and the number of threads.
@Suite struct ModelBitsTests {
  /// No size is a multiple of a vector or a tile, and each is past the block in which something is summed: 393
  /// positions (128 rows of a bias gradient, 384 products of GEMM, 32 rows of a layer norm), 131 queries (128 of
  /// attention), 396 hidden channels (384 products), an embedding of 768 · 99 numbers (65536 of a task that measures
  /// gradients or takes an update).
  private static let batch = TestBatch(seed: 5, vocabulary: 701, batchSize: 3, sequenceLength: 131)

  private static func model(
    threads: Int, instructionSet: InstructionSet = .best, activation: Activation = .gelu
  ) throws -> Model {
    let configuration = try Configuration(
      maximumSequenceLength: 135, vocabularySize: 701, layers: 2, heads: 3, channels: 99)
    let context = try ExecutionContext(threads: threads, instructionSet: instructionSet)
    let model = try Model(configuration: configuration, activation: activation, context: context)
    model.initialize(seed: 11)
    return model
  }

  /// All that three steps of training compute.
  private static func trace(_ model: Model) throws -> [String: [Float]] {
    model.keepsAttention = true
    var trace: [String: [Float]] = [:]
    for step in 0..<3 {
      try model.forward(batch)
      trace["\(step) loss"] = [try #require(model.meanLoss)]
      let activations = try #require(model.activations).tensors
      for tensor in activations { trace["\(step) \(tensor.name)"] = tensor.array() }
      model.zeroGradients()
      try model.backward()
      let gradients = try model.gradients().tensors
      for tensor in gradients { trace["\(step) gradient \(tensor.name)"] = tensor.array() }
      let norm = try model.update(AdamW(learningRate: 1e-3, weightDecay: 0.01), clip: step == 1 ? 0.1 : 0)
      trace["\(step) norm"] = [Float(norm)]
    }
    let (first, second) = try model.optimizerMoments()
    for (name, arena) in [
      ("parameter", model.parameters), ("first moment", first), ("second moment", second),
    ] {
      for tensor in arena.tensors { trace["\(name) \(tensor.name)"] = tensor.array() }
    }
    return trace
  }

  @Test(arguments: InstructionSet.available, Activation.allCases)
  func instructionSets(_ instructionSet: InstructionSet, _ activation: Activation) throws {
    let expected = try Self.trace(try Self.model(threads: 1, activation: activation))
    let model = try Self.model(threads: 2, instructionSet: instructionSet, activation: activation)
    #expect(model.context.instructionSet == instructionSet)
    #expect(firstDifference(try Self.trace(model), expected) == nil)
  }

  @Test(arguments: InstructionSet.available.filter { $0 > .portable || $0 == .best }, [1, 2, 3, 5])
  func threads(_ instructionSet: InstructionSet, _ threads: Int) throws {
    let expected = try Self.trace(try Self.model(threads: 1))
    let model = try Self.model(threads: threads, instructionSet: instructionSet)
    #expect(model.context.threads == threads)
    #expect(firstDifference(try Self.trace(model), expected) == nil)
  }

  /// Threads that are really there, in a process of its own, so that no other test holds them.
  @Test(.enabled(if: PromisedThreads.count != nil, "only scripts/test makes more threads than processors"))
  func threadsThatAreThere() async {
    await #expect(processExitsWith: .success) {
      let threads = PromisedThreads.count ?? 0
      let model = try Self.model(threads: threads)
      precondition(threads > 2 && PromisedThreads.meet(model.context.parallel, team: nil))
      let (trace, expected) = (try Self.trace(model), try Self.trace(try Self.model(threads: 1)))
      precondition(firstDifference(trace, expected) == nil)
    }
  }

  /// Tasks with homes in four domains, also those that wait in queues.
  @Test(arguments: OperandPrecision.allCases) func domains(_ precision: OperandPrecision) throws {
    func train(_ context: ExecutionContext) throws -> [String: [Float]] {
      let model = try Model(
        configuration: Configuration(
          maximumSequenceLength: 135, vocabularySize: 701, layers: 2, heads: 3, channels: 99),
        precision: precision, context: context)
      model.initialize(seed: 11)
      let training = try model.training()
      var losses: [Float] = []
      for _ in 0..<3 {
        training.gradients.zero()
        let batch = try Batch(
          Self.batch.inputs, targets: Self.batch.targets, batchSize: Self.batch.batchSize,
          sequenceLength: Self.batch.sequenceLength, for: model.configuration)
        let result = try training.step(
          batch, optimizer: AdamW(learningRate: 1e-3), clip: 0.5, leavingUpdateDue: true, in: model.workspace)
        losses += [result.loss, Float(result.gradientNorm)]
      }
      training.finishUpdate()
      var trace = ["losses": losses]
      for (name, values) in model.parameters.arrays { trace[name] = values }
      return trace
    }
    let found = try train(.inDomains())
    #expect(firstDifference(found, try train(ExecutionContext(threads: 1))) == nil)
  }

  /// What the comparison would say of one bit.
  @Test func oneBitIsADifference() {
    let one: [String: [Float]] = ["a": [1, 2], "b": [0]]
    #expect(firstDifference(one, one) == nil)
    #expect(firstDifference(one, ["a": [1, Float(2).nextUp], "b": [0]]) != nil)
    #expect(firstDifference(one, ["a": [1, 2], "b": [-0.0]]) != nil)
    #expect(firstDifference(one, ["a": [1, 2]]) != nil)
    #expect(firstDifference(one, ["a": [1, 2], "b": []]) != nil)
  }
}
