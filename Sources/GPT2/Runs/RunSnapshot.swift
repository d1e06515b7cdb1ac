import Machine
import Operators
import Tokens

/// What a kept step holds, at one moment of a run.
package struct RunSnapshot: Sendable {
  let step: Int
  let validationLoss: Float?
  private let state: String
  private var parameters: ParameterTensors
  private var slots: [String: ParameterTensors]
  private let origin: Checkpoint?
  private let tokenizer: Tokenizer?
  private let modelFiles: [(name: String, bytes: [UInt8])]

  /// Takes an update that is due first. The tensors are the trainer's own: `copied`.
  package init(
    of trainer: Trainer, arguments: [String] = [], origin: Checkpoint? = nil, tokenizer: Tokenizer? = nil,
    modelFiles: [(name: String, bytes: [UInt8])] = []
  ) {
    trainer.state.finishUpdate()
    step = trainer.progress.step
    validationLoss = trainer.progress.validationLoss
    state = RunState.text(trainer, arguments: arguments)
    // Read alone: weights that are laid out stay those of the masters.
    parameters = trainer.model.network.masters
    slots = trainer.state.slots.filter { trainer.options.optimizer.slots.contains($0.key) }
    (self.origin, self.tokenizer, self.modelFiles) = (origin, tokenizer, modelFiles)
  }

  /// The same with tensors of its own, which training does not change.
  ///
  /// - Parameter spare: a copy of the same run that nobody reads any longer, whose memory is taken.
  /// - Throws: `MemoryError` where there is no room for them.
  /// - Complexity: bound by memory: 8 bytes a parameter, and as many for each slot. Memory that is new costs several
  ///   times that at its first use.
  package func copied(reusing spare: RunSnapshot? = nil, context: ExecutionContext) throws(MemoryError)
    -> RunSnapshot
  {
    var copy = self
    copy.parameters = try Self.copy(parameters, reusing: spare?.parameters, context)
    for (name, tensors) in slots {
      copy.slots[name] = try Self.copy(tensors, reusing: spare?.slots[name], context)
    }
    return copy
  }

  private static func copy(
    _ tensors: ParameterTensors, reusing spare: ParameterTensors?, _ context: ExecutionContext
  ) throws(MemoryError) -> ParameterTensors {
    let copy: ParameterTensors
    if let spare, spare.configuration == tensors.configuration {
      copy = spare
    } else {
      copy = try ParameterTensors(tensors.configuration, what: "a copy for writing beside training")
    }
    Conversion.forward(tensors.all, y: copy.all, context: context)
    return copy
  }

  /// - Parameter context: whose threads transpose.
  /// - Throws: `FormatError`; there is nothing at `path` then, unless its removal was all that succeeded.
  package func write(to path: String, context: ExecutionContext) throws(FormatError) {
    let directory = try writing { () throws(FileError) in try AtomicDirectory(path: path) }
    let temporary = directory.temporaryPath
    let model = temporary + "/" + RunStep.modelName
    try Checkpoint.write(parameters, to: model, as: .huggingFace(.float32), origin: origin, context: context)
    let tokenizerNames = try writeTokenizer(to: model)
    try OptimizerFile.write(
      slots, of: parameters.configuration, to: temporary + "/" + OptimizerFile.fileName)
    try Machine.write(Array(state.utf8), toNew: temporary + "/" + RunState.fileName)
    let manifest = try RunManifest.text(
      RunStep.files + tokenizerNames.map { RunStep.modelName + "/" + $0 }, in: temporary)
    try Machine.write(Array(manifest.utf8), toNew: temporary + "/" + RunManifest.fileName)
    do throws(FileError) {
      // A damaged one of this number.
      try RunDirectory.remove(path)
      try directory.commit()
    } catch { throw .file(error) }
  }

  /// - Returns: the names of the files.
  private func writeTokenizer(to model: String) throws(FormatError) -> [String] {
    for (name, bytes) in modelFiles { try Machine.write(bytes, toNew: model + "/" + name) }
    let names = modelFiles.map(\.name)
    let name = "gpt2_tokenizer.bin"
    guard let tokenizer, !names.contains(name) else { return names }
    do { try tokenizer.writeLLM(to: model + "/" + name) } catch .mismatch { return names }
    return names + [name]
  }
}
