import ArgumentParser
import Foundation
import GPT2
import JSON
import Machine
import Operators
import Terminal
import Tokens

/// `gpt2 generate`: continues a text.
struct Generate: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Continues a text, token by token.",
    discussion: """
      The text is shown as it comes, the prompt first. Given the same prompt, options and seed, the same tokens come \
      on any number of threads and any instruction set: those of full forward passes over the whole text.

        gpt2 generate --prompt "Once upon a time" --length 100
        gpt2 generate --checkpoint gpt2_hf --prompt - --temperature 0.8 --top-p 0.95 < story.txt
        gpt2 generate --tokens 15496,995 --samples 3 --json

      Without a prompt the text begins at the end of another one, as in training's samples.
      """)

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "An llm.c file or a Hugging Face directory. (default: \(ModelOptions.defaultCheckpoint))",
      valueName: "path"))
  var checkpoint: String?

  @Option(parsing: .unconditional, help: "The feed-forward block's non-linearity.")
  var activation: Activation = .gelu

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      """
      The vocabulary. (default: \(DataOptions.tokenizerName), or vocab.json with merges.txt, beside the checkpoint or \
      in the working directory)
      """, valueName: "file"))
  var tokenizer: String?

  @OptionGroup(title: "Prompt") var prompt: PromptOptions
  @OptionGroup(title: "Sampling") var sampling: SamplingFlags
  @OptionGroup(title: "Execution") var execution: ExecutionOptions

  @Flag(help: "One JSON object a sample instead of text: tokens, text and log_probabilities.")
  var json = false

  func validate() throws {
    do { try sampling.options().check() } catch { throw ValidationError("\(error)") }
  }

  func run() throws {
    let path = checkpoint ?? ModelOptions.defaultCheckpoint
    let source = try Checkpoint(path: path)
    let tokenizer = try TokenizerChoice(
      given: tokenizer, checkpoint: source, vocabularySize: source.configuration.vocabularySize
    ).tokenizer
    let context = try execution.context()
    let network = try Network(
      configuration: source.configuration, activation: activation,
      memory: MemoryOptions(placement: try execution.placement()), context: context)
    let tokens = try prompt.tokens(tokenizer, source.configuration)
    source.load(into: network.parameters)
    var options = sampling.options()
    if let tokenizer, !sampling.ignoreEndOfText, tokenizer.bytes(of: tokenizer.endOfText) == Array("<|endoftext|>".utf8) {
      options.endToken = tokenizer.endOfText
    }
    options.reportsProbabilities = json
    let generation = try Generation(
      network, prompts: [[Int32]](repeating: tokens, count: sampling.samples), options: options)
    try GeneratedSamples(
      generation, promptLength: tokens.count, tokenizer: tokenizer, stops: sampling.stop, json: json
    ).run()
  }
}

/// What a text begins with.
struct PromptOptions: ParsableArguments {
  @Option(
    parsing: .unconditional, help: ArgumentHelp("The text to continue; - reads standard input.", valueName: "text"))
  var prompt: String?

  @Option(
    parsing: .unconditional, help: ArgumentHelp("A file that holds the text to continue.", valueName: "file"))
  var promptFile: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("The ids to continue, with commas between, instead of a text.", valueName: "ids"))
  var tokens: String?

  func validate() throws {
    let given = [
      prompt.map { _ in "--prompt" }, promptFile.map { _ in "--prompt-file" }, tokens.map { _ in "--tokens" },
    ].compactMap { $0 }
    if given.count > 1 {
      throw ValidationError("expected one prompt, found \(given.joined(separator: " and "))")
    }
    _ = try ids()
  }

  private func ids() throws -> [Int32]? {
    try tokens?.split(separator: ",", omittingEmptySubsequences: false).map { text in
      guard let id = Int32(text.trimmingCharacters(in: .whitespaces)) else {
        throw ValidationError("--tokens should be ids with commas between, such as 15496,995, but has '\(text)'")
      }
      return id
    }
  }

  /// At least one token.
  func tokens(_ tokenizer: Tokenizer?, _ configuration: Configuration) throws -> [Int32] {
    if let ids = try ids(), !ids.isEmpty { return ids }
    let start = [tokenizer?.endOfText ?? 50256, 0].first { Int($0) < configuration.vocabularySize } ?? 0
    guard let text = try text(), !text.isEmpty else { return [start] }
    guard let tokenizer else {
      throw PromptError(
        description: "expected a vocabulary to encode the prompt with, found none: give --tokenizer FILE or --tokens IDS.")
    }
    return try TextEncoder(tokenizer).encode(text)
  }

  private func text() throws -> [UInt8]? {
    switch prompt {
    case "-": return Array(FileHandle.standardInput.readDataToEndOfFile())
    case let text?: return Array(text.utf8)
    case nil: return try promptFile.map { try contents($0) }
    }
  }
}

private struct PromptError: Error, CustomStringConvertible { let description: String }
