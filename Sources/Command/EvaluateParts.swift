import GPT2
import JSON
import Operators
import Terminal
import Tokens

/// The loss on token files.
struct LossCommand {
  let source: Checkpoint
  let inference: InferenceOptions
  let precision: OperandPrecision
  let vocabulary: TokenizerChoice
  let windows: Evaluation.Windows
  let json: Bool

  func run(_ data: DataFiles, as type: TokenType?) throws {
    let opened = try data.opened(as: type, vocabularySize: source.configuration.vocabularySize).training
    // One token predicts nothing; where a shard has no more, others do.
    let long = opened.filter { $0.count >= 2 }
    let files = long.isEmpty ? opened : long
    for file in files { try Evaluation.check(file, for: source.configuration) }
    let network = try inference.network(source, precision)
    let workspace = network.makeWorkspace()
    try workspace.reserve(
      batchSize: windows.batchSize, sequenceLength: windows.length, retention: .nothing)
    source.load(into: network.parameters, context: network.context)

    var evaluation = Evaluation()
    let progress = EvaluationProgress(total: files.reduce(0) { $0 + $1.count - 1 }, unit: "tokens")
    for file in files {
      try evaluation.add(
        file, windows: windows, network: network, in: workspace, tokenizer: vocabulary.tokenizer
      ) { progress.show($0) }
    }
    progress.finish()
    json ? printJSON(evaluation) : printTable(evaluation, progress, network.context)
  }

  private func printJSON(_ evaluation: Evaluation) {
    Console.print(
      JSONText.object([
        ("loss", .double(evaluation.loss)), ("perplexity", .double(evaluation.perplexity)),
        ("bits_per_byte", evaluation.bitsPerByte.map { .double($0) } ?? .null),
        ("tokens", .integer(evaluation.tokens)),
        ("bytes", vocabulary.tokenizer == nil ? .null : .integer(evaluation.bytes)),
        ("sequence_length", .integer(windows.length)), ("stride", .integer(windows.stride)),
        ("precision", .text(precision.rawValue)),
      ]).encoded)
  }

  private func printTable(
    _ evaluation: Evaluation, _ progress: EvaluationProgress, _ context: ExecutionContext
  ) {
    let step = windows.stride == windows.length ? "one after another" : "\(windows.stride) apart"
    let bits =
      evaluation.bitsPerByte.map { "\(NumberText.fixed($0, 6)) (of \(evaluation.bytes) bytes)" }
      ?? (vocabulary.tokenizer == nil ? "unknown: \(vocabulary.summary)" : "unknown: the tokens are no text")
    Console.printFields([
      ("windows", "of \(windows.length) tokens, \(step)"), ("tokens", "\(evaluation.tokens)"),
      ("loss", NumberText.fixed(evaluation.loss, 6)),
      ("perplexity", NumberText.fixed(evaluation.perplexity, 4)), ("bits/byte", bits),
      ("machine", ExecutionOptions.summary(context)),
      ("precision", ExecutionOptions.summary(precision, context)),
      ("time", progress.summary(evaluation.tokens)),
    ])
  }
}

/// The accuracy on HellaSwag.
struct HellaSwagCommand {
  let source: Checkpoint
  let inference: InferenceOptions
  let precision: OperandPrecision
  let vocabulary: TokenizerChoice
  let json: Bool

  func run(_ path: String) throws {
    let file = try HellaSwagFile(path: path, encoder: try vocabulary.tokenizer.map { try TextEncoder($0) })
    try HellaSwag.check(file, for: source.configuration)
    let network = try inference.network(source, precision)
    let workspace = network.makeWorkspace()
    let rows = file.examples.map(\.completions.count).max() ?? 1
    let length = file.examples.map(\.inputCount).max() ?? 1
    try workspace.reserve(batchSize: rows, sequenceLength: length, retention: .nothing)
    source.load(into: network.parameters, context: network.context)

    var score = HellaSwag()
    let progress = EvaluationProgress(total: file.examples.count, unit: "examples")
    for example in file.examples {
      try score.add(example, network: network, in: workspace)
      progress.show(score.examples, note: ", \(NumberText.fixed(100 * score.accuracy, 1)) % right")
    }
    progress.finish()
    if json {
      Console.print(
        JSONText.object([
          ("accuracy", .double(score.accuracy)), ("right", .integer(score.right)),
          ("examples", .integer(score.examples)), ("precision", .text(precision.rawValue)),
        ]).encoded)
    } else {
      Console.printFields([
        ("examples", "\(score.examples)"), ("right", "\(score.right)"),
        ("accuracy", NumberText.fixed(score.accuracy, 4)),
        ("machine", ExecutionOptions.summary(network.context)),
        ("precision", ExecutionOptions.summary(precision, network.context)),
        ("time", progress.summary(score.examples)),
      ])
    }
  }
}

/// How far an evaluation is.
private struct EvaluationProgress {
  let total: Int
  /// In the plural.
  let unit: String
  private let start = ContinuousClock.now

  init(total: Int, unit: String) {
    self.total = total
    self.unit = unit
  }

  private var seconds: Double { max((ContinuousClock.now - start) / .seconds(1), 1e-9) }

  func show(_ done: Int, note: String = "") { Console.showProgress(text(done, note)) }

  private func text(_ done: Int, _ note: String) -> String {
    let rate = Double(done) / seconds
    let left = NumberText.duration(seconds: Double(total - done) / max(rate, 1e-9))
    return "\(done) of \(total) \(unit)\(note), \(NumberText.fixed(rate, 1)) \(unit)/s, \(left) left"
  }

  func finish() { Console.clearProgress() }

  func summary(_ done: Int) -> String {
    "\(NumberText.fixed(seconds, 1)) s, \(NumberText.fixed(Double(done) / seconds, 1)) \(unit)/s"
  }
}
