import GPT2
import JSON
import Machine
import Operators
import Terminal
import Tokens

/// `--log`: one JSON object a line.
struct TrainingLog {
  private let writer: LineWriter

  /// - Throws: `FileError`; a file that exists is refused.
  init(path: String) throws(FileError) { writer = try LineWriter(path: path) }

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
        ])
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

  func writeStart(_ session: TrainingSession) throws(FileError) {
    let (configuration, options) = (session.model.configuration, session.options)
    let optimizer = options.optimizer
    try write(
      "start",
      [
        ("model", .text(session.source.summary)), ("layers", .integer(configuration.layers)),
        ("heads", .integer(configuration.heads)), ("channels", .integer(configuration.channels)),
        ("vocabulary", .integer(configuration.vocabularySize)),
        ("context", .integer(configuration.maximumSequenceLength)),
        ("parameters", .integer(ModelText.usedParameterCount(configuration))),
        ("training_tokens", .integer(session.training.tokenCount)),
        ("validation_tokens", .integer(session.validation?.tokenCount ?? 0)),
        ("batch_size", .integer(session.training.batchSize)),
        ("sequence_length", .integer(session.training.sequenceLength)),
        ("gradient_accumulation", .integer(options.gradientAccumulation)), ("steps", .integer(options.steps)),
        ("seed", .unsigned(options.seed)), ("learning_rate", .double(optimizer.learningRate)),
        ("schedule", .text(options.schedule.shape.rawValue)),
        ("warmup_steps", .integer(options.schedule.warmupSteps)),
        ("min_learning_rate", .double(options.schedule.minimum)),
        ("optimizer", .text(type(of: optimizer).name)), ("weight_decay", .double(optimizer.weightDecay)),
        ("decay", .text(optimizer.decay.rawValue)), ("gradient_clip", .double(options.gradientClip)),
        ("activation", .text(session.model.activation.rawValue)),
        ("recompute", .text(session.model.recomputation.rawValue)),
        ("cpu", .text(Topology.current.modelName)), ("threads", .integer(session.model.context.threads)),
        ("isa", .text(session.model.context.instructionSet.rawValue)),
      ] + optimizer.hyperparameters.map { ($0.name, .double($0.value)) })
  }

  func writeEnd(_ summary: TrainingSummary, error: (any Error)?) throws(FileError) {
    var members: [(String, JSONText)] = [
      ("steps", .integer(summary.steps)), ("seconds", .double(summary.seconds)),
      ("peak_resident_bytes", .integer(ProcessUsage.current.peakResidentBytes)),
    ]
    if let answers = summary.answers {
      members += [("sums_right", .integer(answers.right)), ("sums_asked", .integer(answers.asked))]
    }
    if let error { members.append(("error", .text("\(error)"))) }
    try write("end", members)
  }

  private func write(_ event: String, _ members: [(String, JSONText)]) throws(FileError) {
    try writer.write(JSONText.object([("event", .text(event))] + members).encoded)
  }
}

extension DataLoader {
  /// The tokens of all files.
  var tokenCount: Int { files.reduce(0) { $0 + $1.count } }
}
