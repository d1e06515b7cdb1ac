import GPT2
import Machine
import Operators
import Terminal

/// A step as threads that are not there would take it.
struct SimulatedStep {
  /// Each task as it was when it took least.
  let regions: [Simulation.Region]
  /// How long each region is open, in milliseconds.
  let spans: [Double]
  /// Milliseconds in which none is open, because one thread has not said yet what the next one does.
  let between: Double
}

extension Session {
  func simulatedStep(
    _ label: String, on context: ExecutionContext, _ simulation: Simulation
  ) throws -> SimulatedStep {
    let model = try emptyModel(on: context)
    model.initialize()
    try touch(model)
    // Leaves an update due; that of one sequence is as large as any.
    try TrainingSteps(model, self, batchSize: 1).step()
    // Back to the whole batch before, not in, a step: regions of all steps correspond.
    try model.reserve(
      batchSize: settings.batchSize, sequenceLength: settings.sequenceLength, sampleLength: 0)
    let steps = try TrainingSteps(model, self)
    var best: Simulation.Step?
    for step in 1...settings.steps {
      Console.showProgress("model, \(label): simulated step \(step) of \(settings.steps)")
      simulation.begin()
      try steps.step()
      let taken = simulation.step
      best = best.map { $0.least(taken) } ?? taken
    }
    guard let best else { preconditionFailure("a step at least") }
    let schedule = best.schedule()
    return SimulatedStep(
      regions: best.regions, spans: schedule.spans.map { Double($0) / 1e6 },
      between: Double(schedule.between) / 1e6)
  }

  /// Writes zeros, which are there already, to what no first step of one sequence would: on all threads, and so that no
  /// task of a simulated step waits for pages.
  private func touch(_ model: Model) throws {
    let (first, second) = try model.optimizerMoments()
    let passes = (model.activations?.tensors ?? []) + [model.workspace.backwardMemory].compactMap(\.self)
    for tensor in [first.all, second.all] + passes { Residual.zero(tensor.floats, context: context) }
  }
}
