import ArgumentParser
import GPT2
import Terminal

/// How much is generated, and how tokens are picked.
struct SamplingFlags: ParsableArguments {
  @Option(
    parsing: .unconditional,
    help: wholeNumber(
      "Tokens of a sample, the prompt included; at most \(GenerationOptions.longestLength)."))
  var length = 64
  @Option(
    parsing: .unconditional,
    help: number("Below 1 likely tokens become likelier, above 1 less so; 0: always the likeliest."))
  var temperature = 1.0
  @Option(parsing: .unconditional, help: wholeNumber("Picks from the n likeliest alone; 0: from all."))
  var topK = 0
  @Option(
    parsing: .unconditional,
    help: number("Picks from the likeliest that together have this probability; 1: all."))
  var topP = 1.0
  @Option(
    parsing: .unconditional,
    help: number("Picks from those at least this part as likely as the likeliest; 0: all."))
  var minP = 0.0
  @Option(
    parsing: .unconditional,
    help: number("Above 1 tokens that are in the text already become less likely, below 1 likelier."))
  var repetitionPenalty = 1.0
  @Option(
    parsing: .unconditionalSingleValue,
    help: ArgumentHelp(
      "Ends a sample before this text; may be given several times.", valueName: "text"))
  var stop: [String] = []
  @Flag(help: "Goes on after the end-of-text token.")
  var ignoreEndOfText = false
  @Option(
    parsing: .unconditional,
    help: """
      Where the text fills the model's context: stop, or slide, which picks each further token from the last tokens \
      that the context holds (as slow as a whole pass each).
      """)
  var pastContext: GenerationOptions.PastContext = .stop
  @Option(parsing: .unconditional, help: wholeNumber("Samples of the same prompt, generated together."))
  var samples = 1
  @Option(
    parsing: .unconditional,
    help: wholeNumber("Of the draws: another one gives another text, the same one the same."))
  var seed: UInt64 = 1337

  private static let mostSamples = 1024
  /// The options by the names that the library's errors have for them.
  private static let options = [
    "the length": "--length", "the temperature": "--temperature", "top-k": "--top-k", "top-p": "--top-p",
    "min-p": "--min-p", "the repetition penalty": "--repetition-penalty",
  ]

  func validate() throws {
    guard (1...Self.mostSamples).contains(samples) else {
      throw ValidationError("--samples should be in 1...\(Self.mostSamples), but is \(samples)")
    }
    if stop.contains("") { throw ValidationError("--stop should be a text, but is empty") }
    do { try options().check() } catch { throw ValidationError(namingOption(error, Self.options)) }
  }

  func options() -> GenerationOptions {
    var options = GenerationOptions()
    options.length = length
    options.pastContext = pastContext
    options.seed = seed
    options.sampling.temperature = temperature
    options.sampling.topK = topK
    options.sampling.topP = topP
    options.sampling.minP = minP
    options.sampling.repetitionPenalty = repetitionPenalty
    return options
  }
}

extension GenerationOptions.PastContext: ExpressibleByArgument {}
