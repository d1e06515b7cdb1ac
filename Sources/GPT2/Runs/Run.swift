import JSON
import Machine
import Operators
import Tokens

/// A run directory: the steps of a training run that are kept, so that it can be resumed and its models be used.
///
///     let run = try Run(path: "run", keep: 3)
///     if let step = try run.newest().step { try step.restore(trainer) }
///     try trainer.run(
///       report: { event in print(event) },
///       atStep: { step in if step.isMultiple(of: 500) { try run.beginSaving(trainer) } })
///     try run.save(trainer)
///
/// `RunExampleTests` compiles and runs this.
///
/// A step is a directory (`RunStep`) that is written beside the others, synced and renamed: at every moment, whatever
/// becomes of the process or the machine, each step that is there is whole. One process at a time writes.
public final class Run {
  public let path: String
  /// How many steps are kept, beside the best by validation; from 1 up.
  public var keep: Int
  /// What the program was started with, for those who resume it: `RunStep.arguments`.
  public var arguments: [String] = []
  /// Written beside each model as llm.c's `gpt2_tokenizer.bin`, where that format can hold it.
  public var tokenizer: Tokenizer?
  /// Written beside each model, such as the files of a tokenizer that `transformers` reads.
  public var modelFiles: [(name: String, bytes: [UInt8])] = []
  /// What the model began with: of a Hugging Face directory, what its `config.json` says of other concerns stays.
  public var origin: Checkpoint?
  private let lock: FileLock
  /// The validation losses of the steps that are there and not known to be damaged.
  private var kept: [Int: Float?] = [:]
  /// A save that goes on beside training.
  private var begun: BackgroundTask<Result<Void, FormatError>>?
  /// What is or was written beside training; its memory serves the next one.
  private var copy: RunSnapshot?

  /// Makes the directory where it is missing, takes its lock, and removes what writers that were killed left behind.
  ///
  /// - Parameter keep: as the property.
  /// - Throws: `RunError.inUse` with the process that has the lock; `RunError.format`.
  public init(path: String, keep: Int = 3) throws(RunError) {
    precondition(keep >= 1, "a run keeps one step at least")
    self.path = path
    self.keep = keep
    do throws(FileError) {
      let directory = try NewDirectory(path: path)
      directory.keep()
      try Directory.syncName(of: path)
      lock = try FileLock(path: path + "/" + RunDirectory.lockName)
    } catch {
      if case .locked(_, let process) = error { throw .inUse(path: path, process: process) }
      throw RunError(error)
    }
    do throws(FileError) {
      for name in try Directory.names(in: path) where AtomicDirectory.isTemporary(name) {
        try Directory.removeTree(at: path + "/" + name)
      }
      for step in try RunDirectory.steps(in: path) {
        kept[step] = .some(Self.validationLoss(self.path(ofStep: step)))
      }
    } catch { throw RunError(error) }
  }

  /// Where a step lies, once it is saved.
  public func path(ofStep step: Int) -> String { path + "/" + RunDirectory.name(ofStep: step) }

  /// nil where the step's state cannot be read or has none: such a step is not the best.
  private static func validationLoss(_ step: String) -> Float? {
    (try? RunState(path: step + "/" + RunState.fileName))?.progress.validationLoss
  }

  /// The newest whole step, nil where none was saved, and what is wrong with those that are newer.
  ///
  /// - Throws: `RunError.damaged` where there are steps and none is whole; `RunError.format`.
  /// - Complexity: reads every byte of the steps that it looks at.
  public func newest() throws(RunError) -> (step: RunStep?, damages: [FormatError]) {
    let found = try RunDirectory.newest(in: path)
    // Those that are newer are damaged: they are none of the kept, and make room for what is saved in their place.
    if let newest = found.step?.progress.step { kept = kept.filter { $0.key <= newest } }
    return found
  }

  /// The newest whole step of a run directory, without its lock; as `newest()`.
  public static func newest(in path: String) throws(RunError) -> (step: RunStep?, damages: [FormatError]) {
    try RunDirectory.newest(in: path)
  }

  /// The steps that are there, whole or not, ascending.
  ///
  /// - Throws: `FileError`.
  public static func steps(in path: String) throws(FileError) -> [Int] { try RunDirectory.steps(in: path) }

  /// What the directory of a step is called.
  public static func name(ofStep step: Int) -> String { RunDirectory.name(ofStep: step) }

  /// Whether the directory is one that a run is saved in, though no step may be there yet.
  ///
  /// - Throws: `FileError`.
  public static func isRun(_ path: String) throws(FileError) -> Bool { try RunDirectory.isRun(path) }

  /// Refuses a directory that holds a run, for those who begin one.
  ///
  /// - Throws: `RunError.exists`, `RunError.format`.
  public func checkNew() throws(RunError) {
    let steps: [Int]
    do { steps = try RunDirectory.steps(in: path) } catch { throw RunError(error) }
    if let last = steps.last { throw .exists(path: path, step: last) }
  }

  // MARK: - Saving

  /// Saves where the trainer is, an update that is due taken first, and removes what is not kept any longer.
  ///
  /// Not inside an operator, and not while the trainer computes: between its steps, or in `Trainer.run(atStep:)`.
  ///
  /// - Returns: the path of the step; that of a whole one of this number where there is one already.
  /// - Throws: `RunError.exists` where a later step is kept; `RunError.format`: the steps that were there are all still
  ///   there. A step that is no longer kept and cannot be removed is such an error, too. The error of a save that was
  ///   begun before, after which this one is not begun.
  /// - Complexity: writes 4 bytes a parameter, and as many for each of the optimizer's slots, and reads them once.
  @discardableResult
  public func save(_ trainer: Trainer) throws(RunError) -> String {
    try finishSaving()
    guard let snapshot = try snapshot(trainer) else { return path(ofStep: trainer.progress.step) }
    do { try snapshot.write(to: path(ofStep: snapshot.step), context: trainer.model.context) } catch {
      throw .format(error)
    }
    try keep(snapshot)
    return path(ofStep: snapshot.step)
  }

  /// Begins to save where the trainer is, and writes a copy while the trainer goes on; `finishSaving` ends it.
  ///
  /// Where memory has no room for a copy it saves at once, as `save` does.
  ///
  /// - Throws: as `save`.
  /// - Complexity: copies what `save` writes. That much memory is taken as long as the run lives, and time of one
  ///   processor until it is written.
  public func beginSaving(_ trainer: Trainer) throws(RunError) {
    try finishSaving()
    guard let snapshot = try snapshot(trainer) else { return }
    copy = try? snapshot.copied(reusing: copy, context: trainer.model.context)
    guard let copy else {
      try save(trainer)
      return
    }
    let (path, instructionSet) = (self.path(ofStep: copy.step), trainer.model.context.instructionSet)
    begun = BackgroundTask { () -> Result<Void, FormatError> in
      do throws(FormatError) {
        let context = try FormatError.wrapping { () throws(MemoryError) in
          try ExecutionContext(threads: 1, instructionSet: instructionSet)
        }
        return .success(try copy.write(to: path, context: context))
      } catch { return .failure(error) }
    }
  }

  /// Whether a save that was begun is still being written.
  public var isSaving: Bool { begun.map { !$0.isFinished } ?? false }

  /// Waits for the save that was begun last, if it has not ended, and removes what is not kept any longer.
  ///
  /// - Throws: as `save`.
  public func finishSaving() throws(RunError) {
    guard let begun, let copy else { return }
    self.begun = nil
    if case .failure(let error) = begun.value() { throw .format(error) }
    try keep(copy)
  }

  // The lock is held for as long as anything is written.
  deinit { _ = begun?.value() }

  /// nil where the step is kept already.
  private func snapshot(_ trainer: Trainer) throws(RunError) -> RunSnapshot? {
    let step = trainer.progress.step
    if kept[step] != nil { return nil }
    // Of another run, which would be taken for the newer one.
    if let last = kept.keys.max(), last > step { throw .exists(path: path, step: last) }
    return RunSnapshot(
      of: trainer, arguments: arguments, origin: origin, tokenizer: tokenizer, modelFiles: modelFiles)
  }

  // MARK: - Keeping

  /// The best by validation among those that are there.
  private var best: Int? {
    kept.compactMap { step, loss in loss.map { (step, $0) } }.min { ($0.1, $0.0) < ($1.1, $1.0) }?.0
  }

  private func keep(_ snapshot: RunSnapshot) throws(RunError) {
    kept[snapshot.step] = .some(snapshot.validationLoss)
    do { try removeOld() } catch { throw RunError(error) }
  }

  private func removeOld() throws(FileError) {
    let newest = kept.keys.sorted().suffix(keep)
    let best = best
    for step in kept.keys where !newest.contains(step) && step != best {
      try RunDirectory.remove(path(ofStep: step))
      kept[step] = nil
    }
    // Damaged ones that were newer than what the run went on from.
    for step in try RunDirectory.steps(in: path) where kept[step] == nil {
      try RunDirectory.remove(path(ofStep: step))
    }
  }
}
