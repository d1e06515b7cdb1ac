import GPT2
import Machine
import Operators
import Terminal

/// A step as threads that are not there would take it.
struct SimulatedStep {
  /// Those that have tasks, each task as it was when it took least.
  let regions: [Simulation.Region]
  /// Milliseconds outside of regions, in which one thread says what the next one does: the least of all steps.
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
    var best: [Simulation.Region] = []
    var between = Double.infinity
    for step in 1...settings.steps {
      Console.showProgress("model, \(label): simulated step \(step) of \(settings.steps)")
      simulation.forget()
      let whole = try milliseconds { try steps.step() }
      between = min(between, whole - Double(simulation.elapsed) / 1e6)
      let regions = simulation.regions
      best = best.isEmpty ? regions : zip(best, regions).map { $0.least($1) }
    }
    return SimulatedStep(regions: best.filter { $0.tasks > 0 }, between: between)
  }

  /// Writes zeros, which are there already, to what no first step of one sequence would: on all threads, and so that no
  /// task of a simulated step waits for pages.
  private func touch(_ model: Model) throws {
    let (first, second) = try model.optimizerMoments()
    let passes = (model.activations?.tensors ?? []) + [model.workspace.backwardMemory].compactMap(\.self)
    for tensor in [first.all, second.all] + passes { Residual.zero(tensor.floats, context: context) }
  }
}
