import JSON
import Machine
import Operators
import Tokens

/// The options of a run as they are saved: by the names that the command line and the log have for them.
struct RunOptions {
  struct Option {
    let name: String
    let value: Value
    /// Whether a run may go on with another value: what does not decide the bits of the steps that are done.
    var mayChange = false
    /// Of steps that were saved before there was the option.
    var implied: Value?
  }

  enum Value {
    case integer(Int)
    case double(Double)
    case text(String)
    case boolean(Bool)

    var json: JSONText {
      switch self {
      case .integer(let value): .integer(value)
      case .double(let value): .double(value)
      case .text(let value): .text(value)
      case .boolean(let value): .boolean(value)
      }
    }

    var description: String {
      switch self {
      case .integer(let value): "\(value)"
      case .double(let value): "\(value)"
      case .text(let value): value
      case .boolean(let value): "\(value)"
      }
    }
  }

  let all: [Option]

  init(_ trainer: Trainer) {
    all =
      Self.model(trainer.model) + Self.data(trainer) + Self.optimizer(trainer.options) + Self.free(trainer)
  }

  var json: JSONText { .object(all.map { ($0.name, $0.value.json) }) }

  /// - Parameters:
  ///   - saved: those of the saved run.
  ///   - path: names it in an error.
  /// - Throws: `RunError.contradiction` for the first that should be the same and is not.
  func check(against saved: JSONObject, path: String) throws(RunError) {
    for option in all where !option.mayChange {
      let found: JSONValue?
      do { found = try saved[option.name] } catch { throw .format(error) }
      let text: String? =
        switch found {
        case .integer(let value): "\(value)"
        case .number(let value): "\(value)"
        case .string(let value): value
        case .boolean(let value): "\(value)"
        default: option.implied?.description
        }
      guard text == option.value.description else {
        throw .contradiction(
          path: path, option: option.name.replacing("_", with: "-"), saved: text ?? "missing",
          found: option.value.description)
      }
    }
  }
}

// MARK: - What there is

extension RunOptions {
  private static func model(_ model: Model) -> [Option] {
    let configuration = model.configuration
    return [
      Option(name: "layers", value: .integer(configuration.layers)),
      Option(name: "heads", value: .integer(configuration.heads)),
      Option(name: "channels", value: .integer(configuration.channels)),
      Option(name: "vocabulary", value: .integer(configuration.vocabularySize)),
      Option(name: "padded_vocabulary", value: .integer(configuration.paddedVocabularySize)),
      Option(name: "context", value: .integer(configuration.maximumSequenceLength)),
      Option(name: "activation", value: .text(model.activation.rawValue)),
      Option(
        name: "layer_norm_epsilon", value: .double(configuration.layerNormEpsilon),
        implied: .double(Configuration.defaultLayerNormEpsilon)),
      Option(name: "precision", value: .text(model.precision.rawValue)),
    ]
  }

  private static func data(_ trainer: Trainer) -> [Option] {
    [
      Option(name: "batch_size", value: .integer(trainer.training.batchSize)),
      Option(name: "sequence_length", value: .integer(trainer.training.sequenceLength)),
      Option(name: "gradient_accumulation", value: .integer(trainer.options.gradientAccumulation)),
      Option(name: "train_data", value: .text(summary(trainer.training))),
      Option(name: "val_data", value: .text(trainer.validation.map(summary) ?? "none")),
      Option(
        name: "order", value: .text(trainer.training.order.rawValue),
        implied: .text(DataOrder.sequential.rawValue)),
      Option(
        name: "overfit_one_batch", value: .boolean(trainer.options.overfitsOneBatch),
        implied: .boolean(false)),
      Option(name: "seed", value: .text("\(trainer.options.seed)")),
    ]
  }

  private static func optimizer(_ options: TrainingOptions) -> [Option] {
    let optimizer = options.optimizer
    return [Option(name: "optimizer", value: .text(type(of: optimizer).name))]
      + optimizer.hyperparameters.map { Option(name: $0.name, value: .double($0.value)) } + [
        Option(name: "weight_decay", value: .double(optimizer.weightDecay)),
        Option(name: "decay", value: .text(optimizer.decay.rawValue)),
        Option(name: "gradient_clip", value: .double(options.gradientClip)),
        Option(name: "dropout", value: .double(options.dropout), implied: .double(0)),
        Option(name: "schedule", value: .text(options.schedule.shape.rawValue)),
        Option(name: "warmup_steps", value: .integer(options.schedule.warmupSteps)),
        Option(
          name: "warmup", value: .text(options.schedule.warmup.rawValue),
          implied: .text(LearningRateSchedule.Warmup.llmc.rawValue)),
      ]
  }

  private static func free(_ trainer: Trainer) -> [Option] {
    let (options, context) = (trainer.options, trainer.model.context)
    let values: [(String, Value)] = [
      ("steps", .integer(options.steps)), ("learning_rate", .double(options.optimizer.learningRate)),
      ("min_learning_rate", .double(options.schedule.minimum)),
      ("decay_steps", .integer(options.schedule.decaySteps(of: options.steps))),
      ("skip_update_loss_z", .double(options.spikeGuard.lossLimit)),
      ("skip_update_norm_z", .double(options.spikeGuard.normLimit)),
      ("val_every", .integer(options.validationInterval)),
      ("val_batches", .integer(options.validationBatches)),
      ("sample_every", .integer(options.sampleInterval)), ("sample_length", .integer(options.sampleLength)),
      ("recompute", .text(trainer.model.recomputation.rawValue)), ("threads", .integer(context.threads)),
      ("isa", .text(context.instructionSet.rawValue)),
      ("train_files", .text(trainer.training.files.map(\.path).joined(separator: ", "))),
    ]
    return values.map { Option(name: $0, value: $1, mayChange: true) }
  }

  /// What tells data from others, wherever they lie: the tokens of each file, and a checksum of its ends.
  private static func summary(_ loader: DataLoader) -> String {
    loader.files.map { file in
      let length = min(file.count, 4096)
      let ends = file.tokens(in: 0..<length) + file.tokens(in: file.count - length..<file.count)
      return "\(file.count) tokens \(Checksum.text(Checksum.of(ends)))"
    }.joined(separator: ", ")
  }
}
