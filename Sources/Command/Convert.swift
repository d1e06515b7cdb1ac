import ArgumentParser
import GPT2
import Machine
import Terminal

/// `gpt2 convert`: the same model in another format.
struct Convert: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Writes a checkpoint in another format.",
    discussion: """
      Reads what every --checkpoint reads: llm.c's versions 1, 3 and 5, a Hugging Face directory of config.json and \
      model.safetensors or pytorch_model.bin, or an index with its files, and nanoGPT's ckpt.pt, in float64, float32, \
      bfloat16 or float16. Told apart by content.

      float32 keeps every bit; bfloat16 and float16 are rounded to nearest even. The rows that pad llm.c's vocabulary \
      are zeros where they are new, and are left away where the target has none. From one Hugging Face directory to another \
      go also what config.json says of other concerns, generation_config.json and a tokenizer's files. Of a model that \
      --overwrite replaces nothing stays: its weights and its tokenizer's files are removed, and named, where the new one \
      brings none; files that belong to no model stay. A symbolic link stays, and what it leads to is written, also \
      where that is not there yet.

      Memory holds one tensor of one layer at a time, never the model.
      """)

  @Argument(help: "The checkpoint to read.")
  var from: String

  @Argument(help: "The file or directory to write.")
  var to: String

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("What to write. (default: llmc-v3 for a name that ends in .bin, else huggingface)"))
  var format: TargetFormat?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("How a Hugging Face directory stores the numbers. (default: float32)"))
  var precision: Precision?

  @Flag(help: "Replace what is there.")
  var overwrite = false

  @OptionGroup var function: FunctionOptions

  @OptionGroup(title: "Execution") var kernels: KernelOptions

  private var target: TargetFormat { format ?? (to.hasSuffix(".bin") ? .llmVersion3 : .huggingFace) }

  func validate() throws {
    if let precision, target != .huggingFace {
      throw ValidationError(
        "--precision is for huggingface, found --precision \(precision.rawValue) for \(target.rawValue),"
          + " whose version says how numbers are stored")
    }
  }

  func run() throws {
    let source = try Checkpoint.opened(from)
    let start = ContinuousClock.now
    let removed = try namingOverwrite {
      try source.write(
        to: to, as: target.format(precision ?? .float32),
        configuration: function.applied(to: source.configuration), overwrite: overwrite,
        context: kernels.context())
    }
    let seconds = (ContinuousClock.now - start) / .seconds(1)
    let written = try Checkpoint(path: to)
    Console.print("model  \(ModelText.sizes(source.configuration))")
    for (name, checkpoint) in [("from", source), ("to", written)] {
      Console.print(
        name.padded(to: 7)
          + "\(checkpoint.path.shown): \(checkpoint.format), \(NumberText.bytes(checkpoint.byteCount))")
    }
    if !removed.isEmpty { Console.print(NameText.removed(removed)) }
    Console.print("time   \(NumberText.fixed(seconds, 1)) s")
  }
}

/// The names of the formats on the command line.
enum TargetFormat: String, ExpressibleByArgument, CaseIterable {
  case llmVersion1 = "llmc-v1"
  case llmVersion3 = "llmc-v3"
  case llmVersion5 = "llmc-v5"
  case huggingFace = "huggingface"

  func format(_ precision: Precision) -> CheckpointFormat {
    switch self {
    case .llmVersion1: .llmVersion1
    case .llmVersion3: .llmVersion3
    case .llmVersion5: .llmVersion5
    case .huggingFace: .huggingFace(precision)
    }
  }
}

extension Precision: ExpressibleByArgument {}
