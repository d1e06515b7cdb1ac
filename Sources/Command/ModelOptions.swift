import ArgumentParser
import GPT2
import Machine
import Operators
import Terminal

/// Where the model comes from.
enum ModelSource {
  case checkpoint(Checkpoint)
  case fresh(Configuration)
  /// A kept step's, and the sizes that it was trained with.
  case saved(Checkpoint, Configuration)

  var configuration: Configuration {
    switch self {
    case .checkpoint(let checkpoint): checkpoint.configuration
    case .fresh(let configuration), .saved(_, let configuration): configuration
    }
  }

  /// What is read from a file or a directory.
  var checkpoint: Checkpoint? {
    switch self {
    case .checkpoint(let checkpoint), .saved(let checkpoint, _): checkpoint
    case .fresh: nil
    }
  }

  /// "gpt2_124M.bin (version 3, float32)"
  var summary: String {
    switch self {
    case .checkpoint(let checkpoint), .saved(let checkpoint, _):
      "\(checkpoint.path) (\(checkpoint.format))"
    case .fresh: "from scratch"
    }
  }
}

/// The options that choose a model: a checkpoint, a published size, or sizes of one's own.
struct ModelOptions: ParsableArguments {
  static let defaultCheckpoint = "gpt2_124M.bin"

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      """
      The checkpoint to go on from: an llm.c file, a Hugging Face directory, nanoGPT's ckpt.pt or a run directory. (default: \(defaultCheckpoint) where \
      the working directory has it)
      """,
      valueName: "path"))
  var checkpoint: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Start a published size with random weights: \(Configuration.presetNames.joined(separator: ", ")).",
      valueName: "name"))
  var fromScratch: String?

  @OptionGroup var sizes: SizeOptions

  @OptionGroup var function: FunctionOptions

  func validate() throws {
    try checkOneModel(
      [checkpoint.map { _ in "--checkpoint" }, fromScratch.map { _ in "--from-scratch" }, sizes.firstGiven],
      expected: "--checkpoint, --from-scratch or sizes")
    _ = try configuration()
  }

  /// What the flags describe; nil unless the model starts from scratch.
  func configuration() throws -> Configuration? {
    guard let fromScratch else { return try sizes.configuration() }
    do { return try Configuration.preset(named: fromScratch) } catch { throw ValidationError("\(error)") }
  }

  /// The model asked for, else the default checkpoint; nil where there is neither.
  func source() throws -> ModelSource? {
    if let checkpoint { return .checkpoint(try Checkpoint.opened(checkpoint)) }
    if let configuration = try configuration() { return .fresh(configuration) }
    guard FileStatus.kind(at: Self.defaultCheckpoint) != nil else { return nil }
    return .checkpoint(try Checkpoint(path: Self.defaultCheckpoint))
  }
}
