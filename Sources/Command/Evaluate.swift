import ArgumentParser
import GPT2
import Terminal
import Tokens

/// `gpt2 evaluate`: how well a model predicts a text, or completes a situation.
struct Evaluate: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Computes a model's loss on token files, or its accuracy on HellaSwag.",
    discussion: """
      Loss, perplexity and bits per byte: every token but a file's first is predicted once, by windows of \
      --sequence-length tokens one after another, the last one shorter. --stride lets windows overlap: each token then \
      has more of what comes before it, and the whole takes longer.

        gpt2 evaluate --data data/tiny_shakespeare_val.bin
        gpt2 evaluate --checkpoint gpt2_hf --data a.bin b.bin --stride 512 --json

      HellaSwag, as llm.c scores it: of an example's four completions the one with the least mean loss of its tokens is \
      the model's answer. The file is llm.c's hellaswag_val.bin or the original's JSON lines (ctx, endings, label).

        gpt2 evaluate --hellaswag hellaswag_val.bin
      """)

  @Option(
    parsing: .upToNextOption,
    help: ArgumentHelp("Token files, as gpt2 train takes them.", valueName: "file"))
  var data: [String] = []

  @OptionGroup var tokenTypeOption: TokenTypeOption

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Examples of HellaSwag, instead of token files.", valueName: "file"))
  var hellaswag: String?

  @Option(parsing: .unconditional, help: wholeNumber("T: tokens of a window. (default: the model's context)"))
  var sequenceLength: Int?

  @Option(parsing: .unconditional, help: wholeNumber("Tokens from one window to the next. (default: T)"))
  var stride: Int?

  @Option(parsing: .unconditional, help: wholeNumber("Windows computed at once."))
  var batchSize = 4

  @OptionGroup var precisionOption: PrecisionOption

  @OptionGroup(title: "Model") var inference: InferenceOptions

  @Flag(help: "Prints one JSON object instead of the table.")
  var json = false

  func validate() throws {
    guard data.isEmpty != (hellaswag == nil) else {
      throw ValidationError(
        "expected --data FILE or --hellaswag FILE, found \(data.isEmpty ? "neither" : "both")")
    }
    let forTokens = [
      ("--stride", stride != nil), ("--sequence-length", sequenceLength != nil),
      ("--token-type", tokenTypeOption.tokenType != nil),
    ]
    if hellaswag != nil, let option = forTokens.first(where: \.1)?.0 {
      throw ValidationError("expected \(option) beside --data, found it beside --hellaswag: leave it out")
    }
  }

  func run() throws {
    let source = try inference.source()
    let vocabulary = try inference.vocabulary(source, data: data)
    if let hellaswag {
      try HellaSwagCommand(
        source: source, inference: inference, precision: precisionOption.precision, vocabulary: vocabulary,
        json: json
      ).run(hellaswag)
    } else {
      try LossCommand(
        source: source, inference: inference, precision: precisionOption.precision, vocabulary: vocabulary,
        windows: windows(source.configuration), json: json
      ).run(DataFiles(training: data, validation: []), as: tokenTypeOption.tokenType)
    }
  }

  private func windows(_ configuration: Configuration) throws -> Evaluation.Windows {
    do {
      return try Evaluation.Windows(
        length: sequenceLength ?? configuration.maximumSequenceLength, stride: stride, batchSize: batchSize,
        for: configuration)
    } catch {
      let options = [
        "the window": "--sequence-length", "the stride": "--stride", "the batch size": "--batch-size",
      ]
      throw InferenceError(description: namingOption(error, options))
    }
  }
}
