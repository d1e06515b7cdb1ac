import JSON
import Machine
import Tokens

/// A kept step of a run directory, all of whose files were found as they were written.
///
///     step-00000100/model/                   a Hugging Face directory, tokenizer files beside it
///     step-00000100/optimizer.safetensors    `OptimizerFile`
///     step-00000100/state.json               `RunState`
///     step-00000100/manifest.json            `RunManifest`
public struct RunStep: Sendable {
  public let path: String
  private let state: RunState

  static let modelName = "model"
  /// What every step has, beside tokenizer files.
  static let files = [
    "\(modelName)/\(HuggingFaceConfiguration.fileName)", "\(modelName)/\(HuggingFaceCheckpoint.fileName)",
    OptimizerFile.fileName, RunState.fileName,
  ]

  /// Opens the step and reads every byte of it once.
  ///
  /// - Throws: `FormatError`, naming the file that is missing, of another size or of another checksum.
  public init(path: String) throws(FormatError) {
    try RunManifest.check(path)
    self.path = path
    state = try RunState(path: path + "/" + RunState.fileName)
    if let number = RunDirectory.number(of: Self.lastName(path)), number != state.progress.step {
      throw .mismatch(
        path: path, field: "the step", expected: "\(number), as the directory's name says",
        found: "\(state.progress.step)")
    }
  }

  private static func lastName(_ path: String) -> String {
    String(path.split(separator: "/").last ?? "")
  }

  public var progress: TrainingProgress { state.progress }
  /// What the program that saved it was started with: `Run.init`.
  public var arguments: [String] { state.arguments }
  /// The options that the step was made with, in the order of the file.
  ///
  /// - Throws: `FormatError`.
  package func options() throws(FormatError) -> [(name: String, value: JSONText)] {
    guard case .object(let members) = try JSONText(path: path + "/" + RunState.fileName),
      case .object(let options)? = members.first(where: { $0.0 == "options" })?.1
    else { return [] }
    return options.map { (name: $0.0, value: $0.1) }
  }
  /// The model, which every program that reads Hugging Face's directories reads as well.
  public var modelPath: String { path + "/" + Self.modelName }

  /// The model of the step.
  ///
  /// - Throws: `FormatError`.
  public func checkpoint() throws(FormatError) -> Checkpoint { try Checkpoint(path: modelPath) }

  /// The sizes of the model, as it was trained: how far its vocabulary is padded is in no Hugging Face directory.
  ///
  /// - Throws: `FormatError`.
  public func configuration() throws(FormatError) -> Configuration {
    let found = try checkpoint().configuration
    let padded = try state.options.integer("padded_vocabulary")
    do {
      return try Configuration(
        maximumSequenceLength: found.maximumSequenceLength, vocabularySize: found.vocabularySize,
        paddedVocabularySize: padded, layers: found.layers, heads: found.heads, channels: found.channels,
        activation: found.activation, layerNormEpsilon: found.layerNormEpsilon)
    } catch { throw .invalid(path: path, reason: "\(error)") }
  }

  /// Puts a trainer where the saved one was: parameters, what the optimizer keeps, count of updates, position in the
  /// data, generator, count of samples, losses. Its run goes on with the bits of one that was never interrupted, on
  /// any number of threads and with any instruction set.
  ///
  /// - Throws: `RunError.contradiction` where the trainer has an option that the saved steps were not made with; steps,
  ///   learning rates, intervals, recomputation, threads and instruction set may differ. `RunError.data`, `format`,
  ///   `model`. Nothing has changed then, unless files change while they are read.
  public func restore(_ trainer: Trainer) throws(RunError) {
    try RunOptions(trainer).check(against: state.options, path: path)
    let (model, training, optimizer) = (trainer.model, trainer.state, trainer.options.optimizer)
    var loader = trainer.training
    do { try loader.move(to: progress.position) } catch { throw .data(error) }
    training.finishUpdate()
    do { _ = try training.slots(for: optimizer) } catch { throw .model(error) }
    do {
      let checkpoint = try checkpoint()
      try OptimizerFile.read(
        path: path + "/" + OptimizerFile.fileName,
        into: training.slots.filter { optimizer.slots.contains($0.key) },
        of: model.configuration,
        context: model.context)
      // By parts: the network's vocabulary may be padded otherwise than the checkpoint's.
      for part in model.configuration.parameterParts {
        checkpoint.load(part, into: model.parameters[part], context: model.context)
      }
    } catch { throw .format(error) }
    do { try trainer.restore(progress) } catch { throw .data(error) }
  }
}
