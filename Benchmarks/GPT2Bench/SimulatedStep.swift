import GPT2
import Machine
import Operators
import Terminal

extension Session {
  /// The regions of a step that have tasks, each task as it was when it took least.
  func simulatedStep(
    _ label: String, on context: ExecutionContext, _ simulation: Simulation
  ) throws -> [Simulation.Region] {
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
    for step in 1...settings.steps {
      Console.showProgress("model, \(label): simulated step \(step) of \(settings.steps)")
      simulation.forget()
      try steps.step()
      let regions = simulation.regions
      best = best.isEmpty ? regions : zip(best, regions).map { $0.least($1) }
    }
    return best.filter { $0.tasks > 0 }
  }

  /// Writes zeros, which are there already, to what no first step of one sequence would: on all threads, and so that no
  /// task of a simulated step waits for pages.
  private func touch(_ model: Model) throws {
    let (first, second) = try model.optimizerMoments()
    let passes = (model.activations?.tensors ?? []) + [model.workspace.backwardMemory].compactMap(\.self)
    for tensor in [first.all, second.all] + passes { Residual.zero(tensor.floats, context: context) }
  }
}
