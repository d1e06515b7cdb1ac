import GPT2
import JSON
import Machine
import Operators
import Terminal
import Tokens

/// A run that is ready to begin: everything is checked, and its memory is there.
struct TrainingSession {
  let source: ModelSource
  let model: Model
  let training: DataLoader
  let validation: DataLoader?
  let tokenizer: Tokenizer?
  let options: TrainingOptions
  /// What the steps were asked for as, if so.
  var epochs: Int?
  var gradientCheck: GradientCheck?
  /// The sums to ask after the run; none without the built-in corpus.
  var questions: ArraySlice<BuiltInCorpus.Sum> = []
  /// Only every so many steps get a line on standard output; 0: none.
  var shownInterval = 1
  /// Fields of the log's start beside those that the session itself tells.
  var loggedOptions: [(String, JSONText)] = []
  /// Where the run is kept.
  var run: Run?
  var saving: SavingOptions?
  /// What lies beside the model where it is written.
  var modelFiles: [(name: String, bytes: [UInt8])] = []
  var tensorBoard: TensorBoardLog?
  var trace: TrainingTrace?
  /// What the run goes on from.
  var resumed: RunStep?
  /// Made by `prepare()`.
  var trainer: Trainer?
  /// What is known about data and tokenizer, for the header.
  var dataLines: [(String, String)] = []

  /// Makes the trainer and, where a run is resumed, puts it where that was.
  ///
  /// - Throws: `TrainingError`; `RunError` for what cannot be resumed so, before anything is written anywhere.
  mutating func prepare() throws {
    try gradientCheck?.check(model, training)
    let trainer = try Trainer(
      model: model, training: training, validation: validation, tokenizer: tokenizer, options: options)
    try resumed?.restore(trainer)
    self.trainer = trainer
  }

  /// Fills the parameters, unless they are restored, and trains. `log` gets every event, and an end also after an error.
  ///
  /// - Precondition: `prepare()` was called.
  func run(log: TrainingLog?) throws {
    guard let trainer else { preconditionFailure("the trainer comes first") }
    try log?.writeStart(self)
    printHeader()
    switch source {
    case .checkpoint(let checkpoint): checkpoint.load(into: model.parameters, context: model.context)
    case .fresh: model.initialize(seed: options.seed)
    // Restored with all else.
    case .saved: break
    }
    var summary = TrainingSummary()
    var report = TrainingReport(
      steps: options.steps, shownInterval: shownInterval,
      live: LiveLine(
        steps: options.steps, firstStep: resumed?.progress.step ?? 0,
        secondsAtPeak: Console.showsProgress
          ? PeakSpeed.secondsPerToken(
            of: model, batchSize: training.batchSize, sequenceLength: training.sequenceLength) : nil))
    let start = ContinuousClock.now
    let saver = saving.map {
      TrainingSaver(
        $0, origin: source.checkpoint, modelFiles: modelFiles, run: run, log: log, resumed: resumed)
    }
    do {
      try gradientCheck?.run(model, training, seed: options.seed)
      trace?.begin()
      try trainer.run(
        report: { event in
          if case .train(let step) = event {
            summary.steps += 1
            if step.judgement?.skipped != nil { summary.skipped += 1 }
          }
          report.show(event)
          try log?.write(event)
          try tensorBoard?.write(event)
          try trace?.add(event)
        }, shouldStop: { StopSignal.received != nil }, atStep: { try saver?.save(trainer, at: $0) })
      summary.seconds = (.now - start) / .seconds(1)
      try saver?.finish(trainer)
      try trace?.finish()
      if !questions.isEmpty, trainer.progress.step >= options.steps {
        let right = try BuiltInTraining.rightAnswers(to: questions, by: model)
        summary.answers = (right, questions.count)
      }
    } catch {
      Console.clearProgress()
      saver?.abandon()
      try? trace?.finish()
      summary.seconds = (.now - start) / .seconds(1)
      // The run's own error matters more than one of writing it down.
      try? log?.writeEnd(summary, error: error)
      throw error
    }
    printEnd(summary)
    try log?.writeEnd(summary, error: nil)
  }

  private func printHeader() {
    let configuration = model.configuration
    let slots = options.optimizer.slots
    let activationBytes = model.workspace.byteCount + model.inference.byteCount
    let memory =
      (2 + slots.count) * model.parameters.byteCount + model.network.laidOutByteCount + activationBytes
    let batch = [training.batchSize, training.sequenceLength].map(String.init).joined(separator: " × ")
    let accumulation = options.gradientAccumulation
    let lines =
      [
        ("model", "\(source.summary): \(ModelText.sizes(configuration))"),
        ("parameters", ModelText.parameters(configuration)),
        (
          "memory",
          "\(NumberText.bytes(memory)): parameters, gradients, \(slotsText(slots))"
            + (model.network.laidOutByteCount > 0 ? "weights in bf16, " : "")
            + "\(NumberText.bytes(activationBytes)) of activations (recompute: \(model.recomputation.rawValue))"
        ),
        ("machine", ExecutionOptions.summary(model.context)),
        ("precision", ExecutionOptions.summary(model.precision, model.context)),
      ] + dataLines + [
        (
          "training",
          "\(training.tokenCount) tokens, \(NumberText.count(training.batchCount, "batch")) of \(batch)"
            + (accumulation > 1 ? ", \(accumulation) to an update" : "")
            + TrainingText.order(of: training, options, epochs: epochs)
            + (options.overfitsOneBatch ? ", the first one alone" : "")
        ),
        ("optimizer", TrainingText.optimizer(options)),
        ("validation", validation.map(validationText) ?? "none"),
        ("kept", saving?.summary ?? "nothing"),
      ]
      + (resumed.map { [("resumed", "\($0.path), \($0.progress.step) of \(options.steps) steps done")] } ?? [])
    Console.printFields(lines)
    if shownInterval != 1 {
      Console.print("shown".padded(to: 12) + (shownInterval > 0 ? "one step in \(shownInterval)" : "no step"))
    }
    Console.print()
  }

  /// "32768 tokens, the first 10 of 128 batches", or "32768 tokens, all 2 batches of the 10 asked for".
  private func validationText(_ loader: DataLoader) -> String {
    let (asked, all) = (options.validationBatches, loader.batchCount)
    let part =
      asked <= all
      ? "the first \(asked) of \(NumberText.count(all, "batch"))"
      : "all \(NumberText.count(all, "batch")), of \(asked) asked for"
    return "\(loader.tokenCount) tokens" + (options.validationInterval > 0 ? ", \(part)" : "")
  }

  /// "first moment, second moment, ".
  private func slotsText(_ slots: [String]) -> String {
    slots.map { $0.replacing("_", with: " ") + ", " }.joined()
  }

  private func printEnd(_ summary: TrainingSummary) {
    let tokens = summary.steps * options.gradientAccumulation * training.batchSize * training.sequenceLength
    Console.print(
      "\n\(NumberText.count(summary.steps, "step")), \(tokens) tokens in \(NumberText.fixed(summary.seconds, 1)) s"
        + (summary.skipped > 0 ? ", \(NumberText.count(summary.skipped, "update")) skipped" : "")
    )
    if let (right, asked) = summary.answers {
      Console.print("\(right) of \(asked) sums that are not in the training data answered right")
    }
  }
}

/// What a run came to.
struct TrainingSummary {
  var steps = 0
  /// Steps whose update was not taken.
  var skipped = 0
  var seconds = 0.0
  var answers: (right: Int, asked: Int)?
}
