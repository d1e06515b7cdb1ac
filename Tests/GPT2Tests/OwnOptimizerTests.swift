import GPT2
import Machine
import Operators
import Synchronization
import TestSupport
import Testing

/// An optimizer from outside the library: what it is given, and that its steps are taken.
@Suite struct OwnOptimizerTests {
  /// p −= lr·sign(Σ of all gradients of the tensor): no element can be taken by itself.
  private struct SignOfSum: Optimizer {
    static let name = "sign-of-sum"
    var learningRate = 0x1p-8
    var weightDecay = 0.0
    var decay = WeightDecayScope.all
    var slots: [String] { [] }
    var hyperparameters: [(name: String, value: Double)] { [] }
    var extent: OptimizerExtent { .matrices }
    var roles = Set(ParameterRole.allCases)
    let seen: Seen

    final class Seen: Sendable {
      let counts = Mutex<[String: [Int]]>([:])
    }

    func check() throws(OptimizerError) {}

    func work(_ operands: OptimizerOperands, step: OptimizerStep, context: ExecutionContext) -> Work {
      let (parameters, gradients) = (operands.parameters, operands.gradients)
      seen.counts.withLock { $0[parameters.name, default: []].append(parameters.count) }
      let rate = Float(learningRate)
      return Work(count: 1) { _, _ in
        let sum = gradients.array().reduce(0.0) { $0 + Double($1) }
        for index in 0..<parameters.count { parameters[index] -= sum < 0 ? -rate : rate }
      }
    }
  }

  private func model() throws -> Model {
    let configuration = try Configuration(
      maximumSequenceLength: 9, vocabularySize: 31, layers: 3, heads: 2, channels: 10)
    let model = try Model(configuration: configuration, context: ExecutionContext(threads: 2))
    model.initialize(seed: 3)
    return model
  }

  private func batch(_ seed: UInt64, _ model: Model) throws -> Batch {
    let batch = TestBatch(seed: seed, vocabulary: 31, batchSize: 2, sequenceLength: 9)
    return try Batch(
      batch.inputs, targets: batch.targets, batchSize: 2, sequenceLength: 9, for: model.configuration)
  }

  /// It is given whole tensors, or a layer's, once a step; left due or not, the parameters are the same.
  @Test func wholeMatricesAreNeverCut() throws {
    let (now, later) = (try model(), try model())
    let seen = SignOfSum.Seen()
    for step in 0..<3 {
      for (model, isLeftDue) in [(now, false), (later, true)] {
        let training = try model.training()
        training.gradients.zero()
        _ = try training.step(
          batch(UInt64(step), model), optimizer: SignOfSum(seen: seen), leavingUpdateDue: isLeftDue,
          in: model.workspace)
      }
    }
    try later.training().finishUpdate()
    #expect(firstDifference(later.parameters.arrays, now.parameters.arrays) == nil)
    #expect(firstDifference(now.parameters.arrays, try model().parameters.arrays) != nil)
    let counts = seen.counts.withLock { $0 }
    for parameter in Parameter.allCases {
      let size = parameter.layerShape(now.configuration).reduce(1, *)
      let times = 2 * 3 * (parameter.isLayered ? 3 : 1)
      #expect(counts[parameter.name] == [Int](repeating: size, count: times), "\(parameter.name)")
    }
  }

  @Test func oneThatLeavesParametersOutIsRefused() throws {
    let model = try model()
    var optimizer = SignOfSum(seen: SignOfSum.Seen())
    optimizer.roles = [.matrix]
    let training = try model.training()
    let before = model.parameters.arrays
    #expect(throws: ModelError.untrained(optimizer: "sign-of-sum", parameter: "wte")) {
      try training.step(batch(1, model), optimizer: optimizer, in: model.workspace)
    }
    #expect(firstDifference(model.parameters.arrays, before) == nil && training.updateCount == 0)
  }
}
