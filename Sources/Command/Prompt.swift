import ArgumentParser
import GPT2
import Machine
import Tokens

/// What a text begins with.
struct Prompt {
  /// At least one.
  let tokens: [Int32]
  /// Those that are shown: none where the text begins with the end of another one.
  let shown: [Int32]
}

/// The options that give a prompt.
struct PromptOptions: ParsableArguments {
  @Argument(help: ArgumentHelp("Reads the text to continue from standard input.", valueName: "-"))
  var standardInput: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("The text to continue; - reads standard input.", valueName: "text"))
  var prompt: String?

  @Option(
    parsing: .unconditional, help: ArgumentHelp("A file that holds the text to continue.", valueName: "file"))
  var promptFile: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("The ids to continue, with commas between, instead of a text.", valueName: "ids"))
  var tokens: String?

  func validate() throws {
    if let standardInput, standardInput != "-" {
      throw ValidationError(
        "expected - or options, found '\(standardInput)': a text is given by --prompt TEXT")
    }
    let given = [
      standardInput, prompt.map { _ in "--prompt" }, promptFile.map { _ in "--prompt-file" },
      tokens.map { _ in "--tokens" },
    ].compactMap { $0 }
    if given.count > 1 {
      throw ValidationError("expected one prompt, found \(given.joined(separator: " and "))")
    }
    _ = try ids()
  }

  private func ids() throws -> [Int32] {
    try (tokens ?? "").split(separator: ",").map { text in
      guard let id = Int32(text.trimmingCharacters(in: .whitespaces)) else {
        throw ValidationError(
          "--tokens should be ids with commas between, such as 15496,995, but has '\(text)'")
      }
      return id
    }
  }

  /// An empty one starts from the end of a text, as training's samples do.
  func prompt(_ vocabulary: TokenizerChoice, _ configuration: Configuration) throws -> Prompt {
    var tokens = try ids()
    if let text = try text(), !text.isEmpty {
      guard let tokenizer = vocabulary.tokenizer else {
        throw InferenceError(
          description: """
            expected a vocabulary to encode the prompt with, found none: \(vocabulary.summary): give --tokenizer FILE or \
            --tokens IDS.
            """)
      }
      tokens = try TextEncoder(tokenizer).encode(text)
    }
    if !tokens.isEmpty { return Prompt(tokens: tokens, shown: tokens) }
    return Prompt(tokens: [configuration.startToken(tokenizer: vocabulary.tokenizer)], shown: [])
  }

  private func text() throws -> [UInt8]? {
    if prompt == "-" || standardInput != nil {
      return try StandardStream.input()
    }
    return try prompt.map(\.nameBytes) ?? promptFile.map { try textContents($0) }
  }
}
