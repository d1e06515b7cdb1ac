import ArgumentParser
import Foundation
import GPT2
import Operators

/// Where the model comes from.
enum ModelSource {
  case checkpoint(Checkpoint)
  case fresh(Configuration)

  var configuration: Configuration {
    switch self {
    case .checkpoint(let checkpoint): checkpoint.configuration
    case .fresh(let configuration): configuration
    }
  }

  /// "gpt2_124M.bin (version 3, float32)"
  var summary: String {
    switch self {
    case .checkpoint(let checkpoint):
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
      The checkpoint to go on from: an llm.c file or a Hugging Face directory. (default: \(defaultCheckpoint) where \
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

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Start a model of these sizes with random weights: L.", valueName: "n"))
  var layers: Int?
  @Option(parsing: .unconditional, help: ArgumentHelp("NH, which divides the channels.", valueName: "n"))
  var heads: Int?
  @Option(parsing: .unconditional, help: ArgumentHelp("C.", valueName: "n"))
  var channels: Int?
  @Option(
    parsing: .unconditional, help: ArgumentHelp("V; the data's token ids are below it.", valueName: "n"))
  var vocabulary: Int?
  @Option(parsing: .unconditional, help: ArgumentHelp("The longest sequence.", valueName: "n"))
  var context: Int?

  @Option(parsing: .unconditional, help: "The feed-forward block's non-linearity; gelu is GPT-2's.")
  var activation: Activation = .gelu

  private var sizes: [(name: String, size: Int?)] {
    [
      ("--layers", layers), ("--heads", heads), ("--channels", channels), ("--vocabulary", vocabulary),
      ("--context", context),
    ]
  }

  func validate() throws {
    let given = sizes.filter { $0.size != nil }.map(\.name)
    let sources = [
      checkpoint.map { _ in "--checkpoint" }, fromScratch.map { _ in "--from-scratch" }, given.first,
    ]
    .compactMap { $0 }
    guard sources.count <= 1 else {
      throw ValidationError(
        "expected one of --checkpoint, --from-scratch or sizes, found \(sources.joined(separator: " and "))")
    }
    _ = try configuration()
  }

  /// What the flags describe; nil unless the model starts from scratch.
  func configuration() throws -> Configuration? {
    do {
      if let fromScratch { return try Configuration.preset(named: fromScratch) }
      let missing = sizes.filter { $0.size == nil }.map(\.name)
      if missing.count == sizes.count { return nil }
      guard let layers, let heads, let channels, let vocabulary, let context else {
        throw ValidationError(
          "a model from scratch needs all of \(sizes.map(\.name).joined(separator: ", ")), found none of "
            + missing.joined(separator: ", "))
      }
      return try Configuration(
        maximumSequenceLength: context, vocabularySize: vocabulary, layers: layers, heads: heads,
        channels: channels)
    } catch let error as ConfigurationError {
      throw ValidationError("\(error)")
    }
  }

  /// The model asked for, else the default checkpoint; nil where there is neither.
  func source() throws -> ModelSource? {
    if let checkpoint { return .checkpoint(try Checkpoint(path: checkpoint)) }
    if let configuration = try configuration() { return .fresh(configuration) }
    guard FileManager.default.fileExists(atPath: Self.defaultCheckpoint) else { return nil }
    return .checkpoint(try Checkpoint(path: Self.defaultCheckpoint))
  }
}
