import Foundation
import GPT2
import Machine
import Terminal

/// Saves a run where it is due, and says so.
final class TrainingSaver {
  private let options: SavingOptions
  private let run: Run?
  private let log: TrainingLog?
  /// The step that the run goes on from.
  private let firstStep: Int
  /// What was saved last.
  private var savedStep: Int?

  init(_ options: SavingOptions, run: Run?, log: TrainingLog?, resumed: RunStep?) {
    (self.options, self.run, self.log) = (options, run, log)
    firstStep = resumed?.progress.step ?? 0
    savedStep = resumed?.progress.step
  }

  /// Where a step begins, or the last one has ended.
  ///
  /// - Throws: the error of a save that the run cannot do without.
  func save(_ trainer: Trainer, at step: Int) throws {
    let isLast = step == trainer.options.steps
    let isDue = options.interval > 0 && step.isMultiple(of: options.interval)
    guard isLast || isDue, step > firstStep else { return }
    do { try save(trainer) } catch {
      if isLast || options.onSaveError == .stop { throw error }
      Console.clearProgress()
      Console.printWarning("step \(step) is not saved: \(error)")
      try log?.write(saveError: "\(error)", step: step)
    }
  }

  private func save(_ trainer: Trainer) throws {
    guard let run else { return }
    let start = ContinuousClock.now
    let path = try run.save(trainer)
    let seconds = (.now - start) / .seconds(1)
    savedStep = trainer.progress.step
    Console.clearProgress()
    Console.print(
      "step \("\(trainer.progress.step)".aligned(to: 4))  saved \(path.shown) in \(NumberText.fixed(seconds, 1)) s"
    )
    try log?.write(save: path, step: trainer.progress.step, seconds: seconds)
  }

  /// What is left to do when the run has ended, by itself or by a signal.
  func finish(_ trainer: Trainer) throws {
    let step = trainer.progress.step
    if let signal = StopSignal.received {
      Console.clearProgress()
      guard step > 0 else {
        Console.print("stopped by \(signal.name) before the first step: nothing is saved")
        exit(signal.exitCode)
      }
      // Also after the last step, where the signal came before its save.
      if step != savedStep { try save(trainer) }
      Console.print("stopped by \(signal.name) with \(step) of \(trainer.options.steps) steps done")
    }
    guard let output = options.output else { return }
    (try trainer.model.training()).finishUpdate()
    try Checkpoint.write(
      trainer.model.parameters, to: output, as: options.format, context: trainer.model.context)
    Console.print("model written to \(output.shown)")
  }
}
