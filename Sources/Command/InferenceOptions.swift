import ArgumentParser
import GPT2
import Machine
import Operators
import Terminal
import Tokens

/// The model that text is generated with or evaluated by, its vocabulary, and where it runs.
struct InferenceOptions: ParsableArguments {
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "An llm.c file, a Hugging Face directory, nanoGPT's ckpt.pt or a run directory. (default: \(ModelOptions.defaultCheckpoint))",
      valueName: "path"))
  var checkpoint: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "The vocabulary: of gpt2 tokenize, llm.c or Hugging Face. (default: what the data's manifest names, else \(TokenizerChoice.search))",
      valueName: "file"))
  var tokenizer: String?

  @OptionGroup var function: FunctionOptions

  @OptionGroup var execution: ExecutionOptions

  func source() throws -> Checkpoint {
    if let checkpoint { return try Checkpoint.opened(checkpoint) }
    guard FileStatus.kind(at: ModelOptions.defaultCheckpoint) != nil else {
      throw InferenceError(
        description:
          "expected a model, found no \(ModelOptions.defaultCheckpoint) here: give --checkpoint PATH.")
    }
    return try Checkpoint(path: ModelOptions.defaultCheckpoint)
  }

  /// - Parameter data: token files whose manifest tells it.
  /// - Throws: where the given one, or the data's, has another size than the model's.
  func vocabulary(_ source: Checkpoint, data: [String] = []) throws -> TokenizerChoice {
    let size = source.configuration.vocabularySize
    let choice = try TokenizerChoice(
      given: tokenizer, data: DataFiles(training: data, validation: []), checkpoint: source,
      vocabularySize: size)
    if let tokenizer, let found = choice.tokenizer, found.vocabularySize != size {
      throw InferenceError(
        description:
          "\(tokenizer): the vocabulary should have the model's \(size) tokens, but has \(found.vocabularySize): give the model's own, or leave --tokenizer out."
      )
    }
    return choice
  }

  /// A network without parameters yet: what memory cannot hold is refused before they are read.
  func network(_ source: Checkpoint, _ precision: OperandPrecision) throws -> Network {
    try Network(
      configuration: try function.applied(to: source.configuration), precision: precision,
      memory: MemoryOptions(placement: try execution.placement()), context: try execution.context())
  }
}

/// Why nothing can be generated or evaluated: one sentence.
struct InferenceError: Error, CustomStringConvertible { let description: String }
