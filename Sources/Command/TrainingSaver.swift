import Foundation
import GPT2
import Machine
import Terminal

/// Saves a run where it is due, and says so.
final class TrainingSaver {
  private let options: SavingOptions
  private let origin: Checkpoint?
  private let modelFiles: [(name: String, bytes: [UInt8])]
  private let run: Run?
  private let log: TrainingLog?
  /// The step that the run goes on from.
  private let firstStep: Int
  /// What was saved last.
  private var savedStep: Int?
  /// A save that is being written beside training.
  private var begun: Begun?

  private struct Begun {
    let step: Int
    let start: ContinuousClock.Instant
    /// For how long training stood still.
    var waited: Duration
  }

  /// - Parameters:
  ///   - origin: what the model began with.
  ///   - modelFiles: what lies beside it.
  init(
    _ options: SavingOptions, origin: Checkpoint?, modelFiles: [(name: String, bytes: [UInt8])], run: Run?,
    log: TrainingLog?, resumed: RunStep?
  ) {
    (self.options, self.origin, self.modelFiles, self.run, self.log) = (options, origin, modelFiles, run, log)
    firstStep = resumed?.progress.step ?? 0
    savedStep = resumed?.progress.step
  }

  /// Where a step begins, or the last one has ended.
  ///
  /// - Throws: the error of a save that the run cannot do without.
  func save(_ trainer: Trainer, at step: Int) throws {
    let isLast = step == trainer.options.steps
    let isDue = step > firstStep && (isLast || options.interval > 0 && step.isMultiple(of: options.interval))
    if isDue || run?.isSaving == false { try finishSaving(isNeeded: false) }
    guard isDue else { return }
    try save(trainer, isNeeded: isLast) { run throws(RunError) in
      // After the last step there is nothing to go on with.
      if isLast { try run.save(trainer) } else { try run.beginSaving(trainer) }
    }
    if run?.isSaving == false { try finishSaving(isNeeded: isLast) }
  }

  private func save(_ trainer: Trainer, isNeeded: Bool, by save: (Run) throws(RunError) -> Void) throws {
    guard let run else { return }
    let (step, start) = (trainer.progress.step, ContinuousClock.now)
    do { try save(run) } catch { return try failed(error, step: step, isNeeded: isNeeded) }
    begun = Begun(step: step, start: start, waited: .now - start)
  }

  /// Waits for the save that was begun, if one was, and says what became of it.
  private func finishSaving(isNeeded: Bool) throws {
    guard let run, var begun else { return }
    let start = ContinuousClock.now
    do { try run.finishSaving() } catch { return try failed(error, step: begun.step, isNeeded: isNeeded) }
    begun.waited += .now - start
    self.begun = nil
    savedStep = begun.step
    let path = run.path(ofStep: begun.step)
    let (seconds, waited) = ((.now - begun.start) / .seconds(1), begun.waited / .seconds(1))
    Console.clearProgress()
    Console.print(
      "step \("\(begun.step)".aligned(to: 4))  saved \(path.shown) in \(NumberText.fixed(seconds, 1)) s, "
        + "of which training waited \(NumberText.fixed(waited, 1)) s")
    try log?.write(save: path, step: begun.step, seconds: seconds, waited: waited)
  }

  /// - Parameter isNeeded: whether the run fails without this save in any case.
  private func failed(_ error: any Error, step: Int, isNeeded: Bool) throws {
    begun = nil
    if isNeeded || options.onSaveError == .stop { throw error }
    Console.clearProgress()
    Console.printWarning("step \(step) is not saved: \(error)")
    try log?.write(saveError: "\(error)", step: step)
  }

  /// Where the run ends with an error: what was begun is finished, and the run's own error stands.
  func abandon() { try? finishSaving(isNeeded: false) }

  /// What is left to do when the run has ended, by itself or by a signal.
  func finish(_ trainer: Trainer) throws {
    let step = trainer.progress.step
    try finishSaving(isNeeded: false)
    if let signal = StopSignal.received {
      Console.clearProgress()
      guard step > 0 else {
        Console.print("stopped by \(signal.name) before the first step: nothing is saved")
        exit(signal.exitCode)
      }
      // Also after the last step, where the signal came before its save.
      if step != savedStep {
        try save(trainer, isNeeded: true) { run throws(RunError) in try run.save(trainer) }
        try finishSaving(isNeeded: true)
      }
      Console.print("stopped by \(signal.name) with \(step) of \(trainer.options.steps) steps done")
    }
    guard let output = options.output else { return }
    (try trainer.model.training()).finishUpdate()
    let removed = try Checkpoint.write(
      trainer.model.parameters, to: output, as: options.format, origin: origin, files: modelFiles,
      overwrite: run?.hasWritten(output) ?? false, context: trainer.model.context)
    Console.print("model written to \(output.shown)")
    if !removed.isEmpty { Console.print(NameText.removed(removed)) }
    try run?.noteWritten(output)
  }
}
