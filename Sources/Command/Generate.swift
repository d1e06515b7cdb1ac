import ArgumentParser
import GPT2
import Terminal
import Tokens

/// `gpt2 generate`: continues a text.
struct Generate: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Continues a text, token by token.",
    discussion: """
      The text is shown as it comes, the prompt first; several samples when all are there. The same prompt, options and \
      seed give the same tokens on any number of threads and any instruction set: those that passes over the whole text \
      would give.

        gpt2 generate --prompt "Once upon a time" --length 100
        gpt2 generate --checkpoint gpt2_hf --top-p 0.95 - < story.txt
        gpt2 generate --prompt "Q: Who are you? A:" --temperature 0 --stop "Q:"
        gpt2 generate --tokens 15496,995 --samples 3 --json

      Without a prompt the text begins where another one ended, as in training's samples. A sample ends at --length \
      tokens, at the end-of-text token, before a --stop, or where the model's context is full.

      --precision bf16 reads half the bytes a token, of weights and of the keys and values of what came before; its \
      tokens may differ from fp32's, and are those of passes in bf16 over the whole text.
      """)

  @OptionGroup(title: "Prompt") var prompt: PromptOptions
  @OptionGroup(title: "Sampling") var sampling: SamplingFlags
  @OptionGroup var precisionOption: PrecisionOption

  @OptionGroup(title: "Model") var inference: InferenceOptions

  @Flag(
    help: """
      Prints an object a sample instead of text: tokens (prompt and continuation), text, and log_probabilities, one a \
      generated token, by the model before penalty, temperature and filters.
      """)
  var json = false

  func run() throws {
    let source = try inference.source()
    let vocabulary = try inference.vocabulary(source)
    let prompt = try prompt.prompt(vocabulary, source.configuration)
    if vocabulary.tokenizer == nil, let stop = sampling.stop.first {
      throw InferenceError(
        description:
          "expected a vocabulary to look for --stop '\(stop)' with, found none: \(vocabulary.summary): give --tokenizer FILE."
      )
    }
    guard prompt.tokens.count < sampling.length else {
      throw InferenceError(
        description: """
          the length should be more than the prompt's \(NumberText.count(prompt.tokens.count, "token")), which it counts, \
          but is \(sampling.length): give a larger --length.
          """)
    }
    let network = try inference.network(source, precisionOption.precision)
    let generation = try generation(network, prompt.tokens, options(vocabulary.tokenizer))
    source.load(into: network.parameters, context: network.context)
    if network.precision != .fp32 {
      Console.printNote("precision \(ExecutionOptions.summary(network.precision, network.context))")
    }
    try GeneratedSamples(
      generation, prompt: prompt, tokenizer: vocabulary.tokenizer, stops: sampling.stop, json: json
    ).run()
  }

  private func generation(
    _ network: Network, _ prompt: [Int32], _ options: GenerationOptions
  ) throws -> Generation {
    do {
      return try Generation(
        network, prompts: [[Int32]](repeating: prompt, count: sampling.samples), options: options)
    } catch .promptTooLong(let tokens, let context) {
      throw InferenceError(
        description: """
          the prompt should have fewer than \(context) tokens, the model's context, but has \(tokens): shorten it, or \
          give --past-context slide.
          """)
    }
  }

  private func options(_ tokenizer: Tokenizer?) -> GenerationOptions {
    var options = sampling.options()
    if let tokenizer, !sampling.ignoreEndOfText, tokenizer.separatesTexts {
      options.endToken = tokenizer.endOfText
    }
    options.reportsProbabilities = json
    return options
  }
}
