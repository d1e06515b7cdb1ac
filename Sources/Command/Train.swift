import ArgumentParser
import GPT2
import Machine
import Terminal
import Tokens

/// `gpt2 train`: the original program's loop over a checkpoint or a new model.
struct Train: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Trains a model, validating and sampling as it goes.",
    discussion: """
      Goes on from a checkpoint, or starts from scratch, on token files: llm.c's, NumPy's .npy, raw int32 or \
      uint16, told apart by their content. Each step prints the loss before its update.

      With neither a model nor data at hand it trains a small model (2 layers, 4 heads, 128 channels, context 64) \
      from scratch on sums such as 37+5=42 that it makes up itself, and asks it 50 sums that it has not seen at the \
      end. The defaults of that run differ where --help says so.
      """)

  @OptionGroup(title: "Model") var model: ModelOptions
  @OptionGroup(title: "Data") var data: DataOptions
  @OptionGroup(title: "Training") var loop: LoopOptions
  @OptionGroup(title: "Optimizer") var optimizer: OptimizerOptions
  @OptionGroup(title: "Checks") var checks: CheckOptions
  @OptionGroup(title: "Saving") var saving: SavingOptions

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      """
      A new file that gets every event, one JSON object a line, losses with all their digits. A resumed run adds to it.
      """,
      valueName: "file.jsonl"))
  var log: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      """
      A directory that gets a file of events for TensorBoard: loss, validation, learning rate, gradient norm and \
      throughput as scalars, samples as texts. A resumed run goes on in a file of its own.
      """,
      valueName: "dir"))
  var tensorboard: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      """
      A new file that gets who ran what and when in the first \(TrainingTrace.steps) steps, with validations and samples \
      between them: events for chrome://tracing and ui.perfetto.dev, a track for each thread. A resumed run leaves one \
      that is there.
      """,
      valueName: "file.json"))
  var trace: String?

  @OptionGroup var precisionOption: PrecisionOption

  @OptionGroup(title: "Execution") var execution: ExecutionOptions

  func validate() throws {
    for (option, path) in [("--log", log), ("--output", saving.output)] {
      if let trace, trace == path {
        throw ValidationError("--trace and \(option) should name two files, but both name \(trace.shown)")
      }
    }
    // What is given anew goes together with what was saved.
    if !saving.resume { try checkCombination() }
    guard let context = try model.configuration()?.maximumSequenceLength else { return }
    let length = loop.sequenceLength ?? Self.sequenceLength
    guard length <= context else {
      throw ValidationError(
        "--sequence-length should be at most the model's context of \(context), but is \(length)")
    }
  }

  private func checkCombination() throws {
    try optimizer.checkCombination()
    // What depends on defaults is compared with the largest: which one holds is known once files are looked for.
    let builtIn = BuiltInTraining.options(BuiltInCorpus(trainingLines: 0, validationLines: 0))
    var defaults = TrainingOptions()
    (defaults.optimizer.learningRate, defaults.steps) = (builtIn.optimizer.learningRate, builtIn.steps)
    _ = try trainingOptions(defaults: defaults)
  }

  static let batchSize = 4
  static let sequenceLength = 64

  func run() throws {
    let arguments = Array(ProcessStart.arguments.dropFirst())
    guard saving.resume, let directory = saving.save, Directory.exists(at: directory) else {
      return try begin(nil, arguments: arguments)
    }
    let run = try Run(path: directory, keep: saving.keptSteps)
    let found = try run.newest()
    for damage in found.damages { Console.printWarning("\(damage)") }
    guard let step = found.step else { return try begin(run, arguments: arguments) }
    if !found.damages.isEmpty { Console.printWarning("\(step.path) is whole and used instead") }
    let merged = SavedArguments.merged(saved: step.arguments, given: arguments)
    let resumed = try Self.parse(merged)
    try resumed.checkCombination()
    try resumed.checkModel(of: step)
    try resumed.resume(step, run, arguments: merged)
  }

  /// Refuses another model than the one that the run began with, as the kept step's is trained.
  private func checkModel(of step: RunStep) throws {
    let first = try Self.parse(step.arguments).model
    for (option, saved, found) in [
      ("checkpoint", first.checkpoint, model.checkpoint),
      ("from-scratch", first.fromScratch, model.fromScratch),
    ] where saved != found {
      throw RunError.contradiction(
        path: step.path, option: option, saved: saved ?? "none", found: found ?? "none")
    }
    guard let saved = try first.sizes.configuration(), let found = try model.sizes.configuration() else {
      return
    }
    guard saved == found else {
      throw RunError.contradiction(
        path: step.path, option: "the model", saved: ModelText.sizes(saved), found: ModelText.sizes(found))
    }
  }

  private func resume(_ step: RunStep, _ run: Run, arguments: [String]) throws {
    try saving.checkOutput(resuming: run)
    var session = try prepare(resuming: step)
    session.resumed = step
    run.keep = saving.keptSteps
    try start(&session, run, arguments: arguments)
  }

  /// - Parameter run: opened already where it is to be resumed and has nothing yet.
  private func begin(_ run: Run?, arguments: [String]) throws {
    try checkCombination()
    try saving.checkOutput()
    var session = try prepare(resuming: nil)
    var run = run
    if run == nil, let directory = saving.save { run = try Run(path: directory, keep: saving.keptSteps) }
    try run?.checkNew()
    try start(&session, run, arguments: arguments)
  }

  private func start(_ session: inout TrainingSession, _ run: Run?, arguments: [String]) throws {
    run?.arguments = arguments
    run?.tokenizer = session.tokenizer
    run?.origin = session.source.checkpoint
    session.modelFiles = try data.modelFiles(of: session.source)
    run?.modelFiles = session.modelFiles
    session.run = run
    session.saving = saving
    session.loggedOptions = loggedOptions
    if let count = checks.gradientCheck, count > 0 {
      session.gradientCheck = GradientCheck(count: count, dropout: session.options.dropout)
    }
    try saving.checkOutput(of: session.model.configuration)
    try session.prepare()
    // Last, so that what was refused leaves no empty file behind.
    let log = try openLogs(of: &session)
    if saving.keepsSomething || session.trace != nil { StopSignal.note() }
    try session.run(log: log)
  }

  private func openLogs(of session: inout TrainingSession) throws -> TrainingLog? {
    let log: TrainingLog?
    let isNew = self.log.map { FileStatus.kind(at: $0) == nil } ?? false
    do {
      log = try self.log.map { try TrainingLog(path: $0, append: session.resumed != nil) }
    } catch FileError
      .exists(let path)
    {
      throw SetupError(
        description: "\(path): the log should be a new file, but exists: move it or name another.")
    }
    do {
      // A run that is resumed may have written its own.
      if let trace, session.resumed == nil || FileStatus.kind(at: trace) == nil {
        session.trace = try TrainingTrace(path: trace, context: session.model.context)
      }
      session.tensorBoard = try tensorboard.map {
        try TensorBoardLog(directory: $0, resumedAt: session.resumed?.progress.step)
      }
    } catch {
      if isNew, let log = self.log { try? Directory.removeTree(at: log) }
      throw error
    }
    return log
  }

  /// - Throws: `ValidationError` for a number outside its range, which may depend on the defaults.
  private func trainingOptions(defaults: TrainingOptions) throws(ValidationError) -> TrainingOptions {
    var options = loop.trainingOptions(defaults: defaults)
    options.optimizer = optimizer.optimizer(learningRate: defaults.optimizer.learningRate)
    options.gradientClip = optimizer.gradientClip ?? 0
    options.schedule = optimizer.learningRateSchedule(defaults: defaults.schedule)
    checks.apply(to: &options)
    try TrainingText.check(options)
    try optimizer.checkSchedule(steps: options.steps)
    return options
  }

  /// - Parameter step: its model is trained then, whatever became of the checkpoint that the run began with.
  private func prepare(resuming step: RunStep?) throws -> TrainingSession {
    if let step {
      let source = ModelSource.saved(try step.checkpoint(), try step.configuration())
      guard let files = try data.files(vocabularySize: source.configuration.vocabularySize) else {
        return try builtInSession(source)
      }
      return try session(source, files)
    }
    let source = try model.source()
    switch (source, try data.files(vocabularySize: source?.configuration.vocabularySize)) {
    case (let source?, let files?):
      return try session(source, files)
    case (_?, nil):
      throw SetupError(
        description: """
          expected data to train on, found no pair NAME_train.bin and NAME_val.bin in \
          \(DataOptions.defaultDirectory): give --data DIR or --train-data FILE.
          """)
    case (nil, let files?):
      throw SetupError(
        description: """
          expected a model to train on \(files.training[0]), found no \(ModelOptions.defaultCheckpoint) here: give \
          --checkpoint PATH, --from-scratch NAME or --layers, --heads, --channels, --vocabulary and --context.
          """)
    case (nil, nil):
      if let tokenizer = data.tokenizer {
        throw SetupError(
          description:
            "expected a model and data to use \(tokenizer) with, found neither: give --checkpoint and --data."
        )
      }
      return try builtInSession(.fresh(try BuiltInTraining.configuration()))
    }
  }

  /// Memory comes first: a batch that it cannot hold is refused before files are read.
  private func newModel(
    _ configuration: Configuration, _ options: TrainingOptions, batchSize: Int, sequenceLength: Int
  ) throws -> Model {
    let made = try Model(
      configuration: try model.function.applied(to: configuration), precision: precisionOption.precision,
      placement: try execution.placement(), context: try execution.context())
    made.recomputation =
      loop.recompute
      ?? .automatic(configuration, batchSize: batchSize, sequenceLength: sequenceLength)
    do {
      try made.reserve(
        batchSize: batchSize, sequenceLength: sequenceLength, optimizer: options.optimizer,
        sampleLength: options.longestSample)
    } catch .memory(let error) {
      throw SetupError(
        description: advising(
          error, "a smaller --batch-size or --sequence-length, or --recompute blocks, takes less"))
    } catch {
      throw SetupError(
        description: namingOption(error, ["the sequence length": "--sequence-length"]))
    }
    return made
  }

  /// With what depends on the data.
  private func fitted(
    _ options: TrainingOptions, to training: DataLoader
  ) throws(ValidationError) -> TrainingOptions {
    var options = options
    try loop.setSteps(of: &options, for: training)
    try optimizer.checkSchedule(steps: options.steps)
    try TrainingText.check(options, for: training)
    return options
  }

  private func session(_ source: ModelSource, _ files: DataFiles) throws -> TrainingSession {
    let batchSize = loop.batchSize ?? Self.batchSize
    let sequenceLength = loop.sequenceLength ?? Self.sequenceLength
    let options = try trainingOptions(defaults: TrainingOptions())
    let (tokenizer, tokenizerSummary) = try data.tokenizer(for: source, files)
    let made = try newModel(
      source.configuration, options, batchSize: batchSize, sequenceLength: sequenceLength)
    let vocabularySize = source.configuration.vocabularySize
    let opened = try files.opened(as: data.tokenTypeOption.tokenType, vocabularySize: vocabularySize)
    func loader(_ files: [TokenFile], _ order: DataOrder = .sequential) throws -> DataLoader {
      try DataLoader(
        files: files, batchSize: batchSize, sequenceLength: sequenceLength, vocabularySize: vocabularySize,
        order: order, seed: loop.seed)
    }
    let training = try loader(opened.training, data.order)
    var session = TrainingSession(
      source: source, model: made, training: training,
      validation: opened.validation.isEmpty ? nil : try loader(opened.validation), tokenizer: tokenizer,
      options: try fitted(options, to: training))
    session.epochs = loop.epochs
    session.shownInterval = loop.printEvery ?? 1
    session.dataLines = TokenFileText.lines(training: session.training, validation: session.validation)
    session.dataLines.append(("tokenizer", tokenizerSummary))
    if files.found.count > 1, let name = files.name {
      session.dataLines.insert(
        (
          "data sets",
          "\(name), of \(NameText.list(files.found, of: "data set", most: 10)) in \(files.directory)"
        ), at: 0)
    }
    return session
  }

  private func builtInSession(_ source: ModelSource) throws -> TrainingSession {
    Console.print(
      "No checkpoint and no data found: training a small model on sums that the program makes up.\n")
    let batchSize = loop.batchSize ?? BuiltInTraining.batchSize
    let sequenceLength = loop.sequenceLength ?? BuiltInTraining.sequenceLength
    let configuration = source.configuration
    guard configuration.vocabularySize == BuiltInCorpus.vocabularySize else {
      throw SetupError(
        description: """
          expected the data that the run was started with, found none in \(DataOptions.defaultDirectory): give --data \
          DIR or --train-data FILE.
          """)
    }
    let corpus = BuiltInCorpus()
    let options = try trainingOptions(defaults: BuiltInTraining.options(corpus))
    let made = try newModel(configuration, options, batchSize: batchSize, sequenceLength: sequenceLength)
    func loader(_ file: TokenFile, _ order: DataOrder = .sequential) throws -> DataLoader {
      try DataLoader(
        files: [file], batchSize: batchSize, sequenceLength: sequenceLength,
        vocabularySize: BuiltInCorpus.vocabularySize, order: order, seed: loop.seed)
    }
    let training = try loader(corpus.training, data.order)
    var session = TrainingSession(
      source: source, model: made, training: training,
      validation: try loader(corpus.validation), tokenizer: BuiltInCorpus.tokenizer,
      options: try fitted(options, to: training))
    session.epochs = loop.epochs
    session.questions = corpus.validationSums.prefix(50)
    try BuiltInTraining.reserve(forAnswersTo: session.questions.count, of: made)
    session.shownInterval = loop.printEvery ?? 10
    session.dataLines = [
      ("data", "built-in corpus of sums"), ("tokenizer", "built-in, one token a character"),
    ]
    return session
  }
}

/// Why a run cannot be set up: one sentence.
private struct SetupError: Error, CustomStringConvertible { let description: String }
