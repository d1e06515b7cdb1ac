import ArgumentParser
import GPT2
import JSON
import Machine
import Operators
import Terminal
import Tokens

/// `gpt2 evaluate`: how well a model predicts a text.
struct Evaluate: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Computes a model's loss, perplexity and bits per byte on token files.",
    discussion: """
      Every token but a file's first is predicted once, by windows of the model's context one after another, the last \
      one shorter. --stride lets windows overlap: each token then has more of what comes before it, and the whole takes \
      longer.

        gpt2 evaluate --data data/tiny_shakespeare_val.bin
        gpt2 evaluate --checkpoint gpt2_hf --data a.bin b.bin --stride 512 --json
      """)

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "An llm.c file or a Hugging Face directory. (default: \(ModelOptions.defaultCheckpoint))",
      valueName: "path"))
  var checkpoint: String?

  @Option(parsing: .upToNextOption, help: ArgumentHelp("Token files, as gpt2 tokenize writes them.", valueName: "file"))
  var data: [String]

  @Option(parsing: .unconditional, help: "The feed-forward block's non-linearity.")
  var activation: Activation = .gelu

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Tells how many bytes a token is. (default: what lies beside the checkpoint or in the working directory)",
      valueName: "file"))
  var tokenizer: String?

  @Option(parsing: .unconditional, help: number("T: tokens of a window. (default: the model's context)"))
  var sequenceLength: Int?

  @Option(parsing: .unconditional, help: number("Tokens from one window to the next. (default: T)"))
  var stride: Int?

  @Option(parsing: .unconditional, help: number("Windows computed at once."))
  var batchSize = 4

  @OptionGroup(title: "Execution") var execution: ExecutionOptions

  @Flag(help: "One JSON object instead of the table.")
  var json = false

  func run() throws {
    let source = try Checkpoint(path: checkpoint ?? ModelOptions.defaultCheckpoint)
    let configuration = source.configuration
    let windows = try Evaluation.Windows(
      length: sequenceLength ?? configuration.maximumSequenceLength, stride: stride, batchSize: batchSize,
      for: configuration)
    let files = try data.map { try TokenFile(path: $0) }
    let vocabulary = try TokenizerChoice(
      given: tokenizer, checkpoint: source, vocabularySize: configuration.vocabularySize)
    let context = try execution.context()
    let network = try Network(
      configuration: configuration, activation: activation,
      memory: MemoryOptions(placement: try execution.placement()), context: context)
    let workspace = network.makeWorkspace()
    try workspace.reserve(
      batchSize: batchSize, sequenceLength: windows.length, retention: .nothing)
    source.load(into: network.parameters)

    var evaluation = Evaluation()
    let total = files.reduce(0) { $0 + $1.count - 1 }
    let start = ContinuousClock.now
    for file in files {
      try evaluation.add(
        file, windows: windows, network: network, in: workspace, tokenizer: vocabulary.tokenizer
      ) { done in Console.showProgress(Self.progress(done: done, of: total, since: start)) }
    }
    Console.clearProgress()
    json ? printJSON(evaluation) : printTable(evaluation, windows, vocabulary, context, since: start)
  }

  private static func progress(done: Int, of total: Int, since start: ContinuousClock.Instant) -> String {
    let rate = Double(done) / max((.now - start) / .seconds(1), 1e-9)
    let left = NumberText.duration(seconds: Double(total - done) / max(rate, 1e-9))
    return "\(done) of \(total) tokens, \(NumberText.fixed(rate, 0)) tokens/s, \(left) left"
  }

  private func printJSON(_ evaluation: Evaluation) {
    Console.print(
      JSONText.object([
        ("loss", .double(evaluation.loss)), ("perplexity", .double(evaluation.perplexity)),
        ("bits_per_byte", evaluation.bitsPerByte.map { .double($0) } ?? .null),
        ("tokens", .integer(evaluation.tokens)),
      ]).encoded)
  }

  private func printTable(
    _ evaluation: Evaluation, _ windows: Evaluation.Windows, _ vocabulary: TokenizerChoice,
    _ context: ExecutionContext, since start: ContinuousClock.Instant
  ) {
    let seconds = (ContinuousClock.now - start) / .seconds(1)
    let step = windows.stride == windows.length ? "one after another" : "a stride of \(windows.stride) apart"
    let bits =
      evaluation.bitsPerByte.map { NumberText.fixed($0, 6) } ?? "unknown: \(vocabulary.summary)"
    let lines = [
      ("windows", "of \(windows.length) tokens, \(step)"), ("tokens", "\(evaluation.tokens)"),
      ("loss", NumberText.fixed(evaluation.loss, 6)),
      ("perplexity", NumberText.fixed(evaluation.perplexity, 4)), ("bits a byte", bits),
      ("machine", ExecutionOptions.summary(context)),
      ("time", "\(NumberText.fixed(seconds, 1)) s, \(NumberText.fixed(Double(evaluation.tokens) / seconds, 0)) tokens/s"),
    ]
    for (name, text) in lines { Console.print(name.padded(to: 13) + text) }
  }
}
