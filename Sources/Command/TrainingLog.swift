import GPT2
import JSON
import Machine
import Operators
import Terminal
import Tokens

/// `--log`: one JSON object a line, which ends with the time at which it was written.
struct TrainingLog {
  private let writer: LineWriter

  /// - Parameter append: adds to a file that exists; without it such a file is refused.
  /// - Throws: `FileError`.
  init(path: String, append: Bool = false) throws(FileError) {
    writer = try LineWriter(path: path, append: append)
  }

  func write(_ event: TrainingEvent) throws(FileError) {
    switch event {
    case .train(let step):
      try write(
        "train",
        [
          ("step", .integer(step.step)), ("loss", .float(step.loss)),
          ("milliseconds", .double(step.seconds * 1000)),
          ("tokens_per_second", .double(step.tokensPerSecond)),
          ("learning_rate", .double(step.learningRate)), ("gradient_norm", .double(step.gradientNorm)),
        ] + Self.judgement(step))
    case .validation(let step, let loss):
      try write("validation", [("step", .integer(step)), ("loss", .float(loss))])
    case .sample(let step, let tokens, let text):
      try write(
        "sample",
        [
          ("step", .integer(step)), ("tokens", .array(tokens.map { .integer(Int($0)) })),
          ("text", .text(text)),
        ])
    }
  }

  /// Where a guard against spikes judges.
  private static func judgement(_ step: TrainingStep) -> [(String, JSONText)] {
    guard let judgement = step.judgement else { return [] }
    return [
      ("loss_z", judgement.loss.map { .double($0) } ?? .null),
      ("norm_z", judgement.norm.map { .double($0) } ?? .null),
      ("skipped", .text(judgement.skipped?.rawValue)),
    ]
  }

  func writeStart(_ session: TrainingSession) throws(FileError) {
    try write(
      "start",
      (session.resumed.map { [("resumed_at", .integer($0.progress.step))] } ?? [])
        + Self.modelAndData(session) + Self.loop(session) + Self.optimizer(session.options)
        + Self.execution(session.model) + session.loggedOptions)
  }

  private static func modelAndData(_ session: TrainingSession) -> [(String, JSONText)] {
    let configuration = session.model.configuration
    return [
      ("model", .text(session.source.summary.shown)), ("layers", .integer(configuration.layers)),
      ("heads", .integer(configuration.heads)), ("channels", .integer(configuration.channels)),
      ("vocabulary", .integer(configuration.vocabularySize)),
      ("context", .integer(configuration.maximumSequenceLength)),
      ("parameters", .integer(ModelText.usedParameterCount(configuration))),
      ("activation", .text(session.model.activation.rawValue)),
      ("layer_norm_epsilon", .double(configuration.layerNormEpsilon)),
      ("train_data", paths(session.training)), ("training_tokens", .integer(session.training.tokenCount)),
      ("val_data", paths(session.validation)),
      ("validation_tokens", .integer(session.validation?.tokenCount ?? 0)),
      ("tokenizer", .text(session.dataLines.first { $0.0 == "tokenizer" }?.1.shown)),
    ]
  }

  private static func loop(_ session: TrainingSession) -> [(String, JSONText)] {
    let options = session.options
    return [
      ("batch_size", .integer(session.training.batchSize)),
      ("sequence_length", .integer(session.training.sequenceLength)),
      ("order", .text(session.training.order.rawValue)),
      ("gradient_accumulation", .integer(options.gradientAccumulation)), ("steps", .integer(options.steps)),
      ("epochs", session.epochs.map { .integer($0) } ?? .null),
      ("val_every", .integer(options.validationInterval)),
      ("val_batches", .integer(options.validationBatches)),
      ("sample_every", .integer(options.sampleInterval)), ("sample_length", .integer(options.sampleLength)),
      ("print_every", .integer(session.shownInterval)),
      ("recompute", .text(session.model.recomputation.rawValue)), ("seed", .unsigned(options.seed)),
    ]
  }

  private static func optimizer(_ options: TrainingOptions) -> [(String, JSONText)] {
    let optimizer = options.optimizer
    return [
      ("optimizer", .text(type(of: optimizer).name)), ("learning_rate", .double(optimizer.learningRate)),
      ("schedule", .text(options.schedule.shape.rawValue)),
      ("warmup_steps", .integer(options.schedule.warmupSteps)),
      ("warmup", .text(options.schedule.warmup.rawValue)),
      ("decay_steps", options.schedule.decaySteps.map { .integer($0) } ?? .null),
      ("min_learning_rate", .double(options.schedule.minimum)),
      ("weight_decay", .double(optimizer.weightDecay)),
      ("decay", .text(optimizer.decay.rawValue)), ("gradient_clip", .double(options.gradientClip)),
      ("dropout", .double(options.dropout)),
      ("skip_update_loss_z", .double(options.spikeGuard.lossLimit)),
      ("skip_update_norm_z", .double(options.spikeGuard.normLimit)),
      ("overfit_one_batch", .boolean(options.overfitsOneBatch)),
    ] + optimizer.hyperparameters.map { ($0.name, .double($0.value)) }
  }

  private static func execution(_ model: Model) -> [(String, JSONText)] {
    [
      ("cpu", .text(Topology.current.modelName)), ("threads", .integer(model.context.threads)),
      ("isa", .text(model.context.instructionSet.rawValue)),
      ("precision", .text(model.precision.rawValue)),
      ("numa", .text(ExecutionOptions.name(of: model.network.memory.placement))),
    ]
  }

  private static func paths(_ loader: DataLoader?) -> JSONText {
    .array((loader?.files ?? []).map { .text($0.path) })
  }

  /// - Parameters:
  ///   - path: of the step that was saved.
  ///   - seconds: from its beginning until it was there.
  ///   - waited: for how much of that training stood still.
  func write(save path: String, step: Int, seconds: Double, waited: Double) throws(FileError) {
    try write(
      "save",
      [
        ("step", .integer(step)), ("path", .text(path)), ("milliseconds", .double(seconds * 1000)),
        ("waited_milliseconds", .double(waited * 1000)),
      ])
  }

  func write(saveError error: String, step: Int) throws(FileError) {
    try write("save", [("step", .integer(step)), ("error", .text(error.shown))])
  }

  func writeEnd(_ summary: TrainingSummary, error: (any Error)?) throws(FileError) {
    var members: [(String, JSONText)] = [
      ("steps", .integer(summary.steps)), ("seconds", .double(summary.seconds)),
      ("peak_resident_bytes", .integer(ProcessUsage.current.peakResidentBytes)),
    ]
    if let answers = summary.answers {
      members += [("sums_right", .integer(answers.right)), ("sums_asked", .integer(answers.asked))]
    }
    if let error { members.append(("error", .text("\(error)".shown))) }
    try write("end", members)
  }

  private func write(_ event: String, _ members: [(String, JSONText)]) throws(FileError) {
    let time = ("time", JSONText.text(TimeText.current))
    try writer.write(JSONText.object([("event", .text(event))] + members + [time]).encoded)
  }
}

extension DataLoader {
  /// The tokens of all files.
  var tokenCount: Int { files.reduce(0) { $0 + $1.count } }
}
