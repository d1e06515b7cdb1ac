import GPT2
import Machine
import Operators
import TestSupport
import Testing

/// Where the update of wte runs that is taken on the way of a forward pass, by and by.
@Suite struct UpdateHomeTests {
  /// Takes no step, but notes whose thread came to which row of wte, of which each begins with its own number.
  ///
  /// `@unchecked Sendable`: a simulation has one thread.
  private final class Visits: Optimizer, @unchecked Sendable {
    static let name = "visits"
    static let scale: Float = 0x1p-10
    var learningRate = 0.0
    var weightDecay = 0.0
    var decay = WeightDecayScope.all
    var slots: [String] { [] }
    var hyperparameters: [(name: String, value: Double)] { [] }
    var extent: OptimizerExtent { .elements }
    /// The worker of each row, in the order in which they came.
    var workers: [Int: [Int]] = [:]

    func check() throws(OptimizerError) {}

    func work(_ operands: OptimizerOperands, step: OptimizerStep, context: ExecutionContext) -> Work {
      let parameters = operands.parameters
      guard parameters.name == "wte" else { return Work(count: 0) { _, _ in } }
      return .blocks(of: UpdateHomeTests.channels, in: parameters.count) { range, worker in
        let row = Int(parameters[range.lowerBound] / Self.scale)
        self.workers[row, default: []].append(worker)
      }
    }
  }

  private static let (channels, vocabulary) = (128, 403)

  /// All rows are tasks of the domain in whose quarter they lie; without homes one in four would be. Who helps whom is not
  /// looked at: a simulation runs each task in its own domain's name.
  @Test func rowsAreUpdatedWhereTheyLie() throws {
    let simulation = Simulation { 0 }
    let slots = Slots(pinned: 4, on: .simulated(nodes: 4, coresPerCache: 1))
    let context = try ExecutionContext(
      threads: 4, instructionSet: .portable, slots: slots, simulation: simulation)
    let model = try Model(
      configuration: Configuration(
        maximumSequenceLength: 16, vocabularySize: Self.vocabulary, layers: 4, heads: 2,
        channels: Self.channels),
      context: context)
    model.initialize(seed: 2)
    let wte = model.parameters[.wte]
    let rows = wte.count / Self.channels
    for row in 0..<rows { wte[row * Self.channels] = Float(row) * Visits.scale }
    let visits = Visits()
    for _ in 0..<2 {
      let tokens = TestBatch(seed: 4, vocabulary: Self.vocabulary, batchSize: 2, sequenceLength: 16)
      let batch = try Batch(
        tokens.inputs, targets: tokens.targets, batchSize: 2, sequenceLength: 16, for: model.configuration)
      let training = try model.training()
      training.gradients.zero()
      _ = try training.step(batch, optimizer: visits, leavingUpdateDue: true, in: model.workspace)
    }
    #expect(visits.workers.count == rows && visits.workers.values.allSatisfy { $0.count == 1 })
    let atHome = visits.workers.count { row, workers in
      context.parallel.homes.share(of: rows, workers[0]).contains(row)
    }
    #expect(atHome == rows, "\(atHome) of \(rows) rows")
  }
}
