import GPT2
import JSON
import Terminal
import Tokens

/// What `gpt2 generate` prints: one sample as it comes, several one after the other when all are there.
final class GeneratedSamples {
  private let generation: Generation
  private let prompt: Prompt
  private let tokenizer: Tokenizer?
  private let json: Bool
  private var samples: [Sample]
  private var isStreamed: Bool { !json && samples.count == 1 }

  /// What has come of one.
  private struct Sample {
    /// nil where there is no vocabulary.
    var text: StoppingText?
    var logProbabilities: [Double] = []
  }

  init(_ generation: Generation, prompt: Prompt, tokenizer: Tokenizer?, stops: [String], json: Bool) {
    self.generation = generation
    self.prompt = prompt
    self.tokenizer = tokenizer
    self.json = json
    let text = tokenizer.map { StoppingText(tokenizer: $0, after: prompt.shown, stops: stops) }
    samples = generation.tokens.map { _ in Sample(text: text) }
  }

  /// Generates to the end.
  func run() throws {
    if isStreamed { write(promptText) }
    let start = ContinuousClock.now
    var count = 0
    while !generation.isFinished {
      for step in try generation.step() { take(step) }
      count = generation.tokens.reduce(0) { $0 + $1.count - prompt.tokens.count }
      // Streamed text shows by itself how far it is.
      if !isStreamed {
        Console.showProgress("\(count) tokens of \(NumberText.count(samples.count, "sample"))")
      }
    }
    if !isStreamed { Console.clearProgress() }
    for index in samples.indices {
      let rest = samples[index].text?.finish() ?? ""
      if isStreamed { write(rest) }
    }
    if isStreamed { Console.print() } else if json { printJSON() } else { printTexts() }
    let rate = Double(count) / max((.now - start) / .seconds(1), 1e-9)
    Console.printNote("\(NumberText.count(count, "token")), \(NumberText.significant(rate)) tokens/s")
  }

  private func take(_ step: Generation.Step) {
    if let probability = step.logProbability { samples[step.sequence].logProbabilities.append(probability) }
    // The end of the text is no part of it.
    if step.token == generation.options.endToken { return }
    let text = samples[step.sequence].text?.push(step.token) ?? " \(step.token)"
    if isStreamed { write(text) }
    if samples[step.sequence].text?.isStopped ?? false { generation.finish(step.sequence) }
  }

  /// What a model writes may not steer a terminal.
  private func write(_ text: String) {
    let text = text.withoutControlCharacters
    if !text.isEmpty { Console.write(text) }
  }

  /// Ids where there is no vocabulary. A character that the prompt leaves open is finished by the sample.
  private var promptText: String {
    guard let tokenizer else { return ids(prompt.tokens) }
    var stream = TextStream(tokenizer: tokenizer)
    return prompt.shown.map { stream.push($0) }.joined()
  }

  private func ids(_ tokens: some Sequence<Int32>) -> String {
    tokens.map(String.init).joined(separator: " ")
  }

  private func printTexts() {
    for (index, tokens) in generation.tokens.enumerated() {
      let text = samples[index].text.map { promptText + $0.text } ?? ids(tokens)
      Console.print("--- \(index + 1)\n\(text.withoutControlCharacters)")
    }
  }

  private func printJSON() {
    for (index, tokens) in generation.tokens.enumerated() {
      let text = samples[index].text.map { promptText + $0.text }
      Console.print(
        JSONText.object([
          ("tokens", .array(tokens.map { .integer(Int($0)) })), ("text", .text(text)),
          ("log_probabilities", .array(samples[index].logProbabilities.map { .double($0) })),
        ]).encoded)
    }
  }
}
