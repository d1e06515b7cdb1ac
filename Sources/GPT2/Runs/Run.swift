import JSON
import Machine
import Tokens

/// A run directory: the steps of a training run that are kept, so that it can be resumed and its models be used.
///
///     let run = try Run(path: "run", keep: 3)
///     if let step = try run.newest().step { try step.restore(trainer) }
///     try trainer.run(
///       report: { event in print(event) },
///       atStep: { step in if step.isMultiple(of: 500) { try run.save(trainer) } })
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
      for step in try RunDirectory.steps(in: path) { kept[step] = .some(Self.validationLoss(stepPath(step))) }
    } catch { throw RunError(error) }
  }

  private func stepPath(_ step: Int) -> String { path + "/" + RunDirectory.name(ofStep: step) }

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
  ///   there. A step that is no longer kept and cannot be removed is such an error, too.
  /// - Complexity: writes 4 bytes a parameter, and as many for each of the optimizer's slots, and reads them once.
  @discardableResult
  public func save(_ trainer: Trainer) throws(RunError) -> String {
    let step = trainer.progress.step
    let path = stepPath(step)
    if kept[step] != nil { return path }
    // Of another run, which would be taken for the newer one.
    if let last = kept.keys.max(), last > step { throw .exists(path: self.path, step: last) }
    trainer.state.finishUpdate()
    do { try write(trainer, to: path) } catch { throw .format(error) }
    kept[step] = .some(trainer.progress.validationLoss)
    do { try removeOld() } catch { throw RunError(error) }
    return path
  }

  private func write(_ trainer: Trainer, to path: String) throws(FormatError) {
    let configuration = trainer.model.configuration
    let directory = try writing { () throws(FileError) in try AtomicDirectory(path: path) }
    let temporary = directory.temporaryPath
    let model = temporary + "/" + RunStep.modelName
    try Checkpoint.write(
      trainer.model.parameters, to: model, as: .huggingFace(.float32), origin: origin,
      context: trainer.model.context)
    let tokenizerNames = try writeTokenizer(to: model)
    var slots: [String: ParameterTensors] = [:]
    for name in trainer.options.optimizer.slots { slots[name] = trainer.state.slots[name] }
    try OptimizerFile.write(slots, of: configuration, to: temporary + "/" + OptimizerFile.fileName)
    try Self.write(
      RunState.text(trainer, arguments: arguments), to: temporary + "/" + RunState.fileName)
    try Self.write(
      RunManifest.text(
        RunStep.files + tokenizerNames.map { RunStep.modelName + "/" + $0 }, in: temporary),
      to: temporary + "/" + RunManifest.fileName)
    do throws(FileError) {
      // A damaged one of this number.
      try remove(path)
      try directory.commit()
    } catch { throw .file(error) }
  }

  private static func write(_ text: String, to path: String) throws(FormatError) {
    try write(Array(text.utf8), to: path)
  }

  private static func write(_ bytes: [UInt8], to path: String) throws(FormatError) {
    try writing { () throws(FileError) in
      var file = try AtomicFile(path: path)
      try file.write(bytes)
      try file.commit()
    }
  }

  /// - Returns: the names of the files.
  private func writeTokenizer(to model: String) throws(FormatError) -> [String] {
    for (name, bytes) in modelFiles { try Self.write(bytes, to: model + "/" + name) }
    let names = modelFiles.map(\.name)
    let name = "gpt2_tokenizer.bin"
    guard let tokenizer, !names.contains(name) else { return names }
    do { try tokenizer.writeLLM(to: model + "/" + name) } catch .mismatch { return names }
    return names + [name]
  }

  // MARK: - Keeping

  /// The best by validation among those that are there.
  private var best: Int? {
    kept.compactMap { step, loss in loss.map { (step, $0) } }.min { ($0.1, $0.0) < ($1.1, $1.0) }?.0
  }

  private func removeOld() throws(FileError) {
    let newest = kept.keys.sorted().suffix(keep)
    let best = best
    for step in kept.keys where !newest.contains(step) && step != best {
      try remove(stepPath(step))
      kept[step] = nil
    }
    // Damaged ones that were newer than what the run went on from.
    for step in try RunDirectory.steps(in: path) where kept[step] == nil { try remove(stepPath(step)) }
  }

  /// Under another name first, so that half of a step is never taken for one.
  private func remove(_ path: String) throws(FileError) {
    guard Directory.exists(at: path) else { return }
    let temporary = AtomicDirectory.temporaryName(of: path)
    try Directory.rename(path, to: temporary)
    try Directory.removeTree(at: temporary)
  }
}
