import GPT2
import JSON
import Machine
import Terminal
import Tokens

/// What `gpt2 generate` prints: one sample as it comes, several one after the other when all are there.
final class GeneratedSamples {
  private let generation: Generation
  private let promptLength: Int
  private let tokenizer: Tokenizer?
  private let stops: [String]
  private let json: Bool
  private var streams: [StoppingText]
  private var logProbabilities: [[Double]]

  init(_ generation: Generation, promptLength: Int, tokenizer: Tokenizer?, stops: [String], json: Bool) {
    self.generation = generation
    self.promptLength = promptLength
    self.tokenizer = tokenizer
    self.stops = stops
    self.json = json
    let count = generation.tokens.count
    streams = (0..<count).map { _ in StoppingText(tokenizer: tokenizer, stops: stops) }
    logProbabilities = [[Double]](repeating: [], count: count)
  }

  /// Generates to the end.
  func run() throws {
    let isStreamed = !json && streams.count == 1
    let prompt = text(generation.tokens[0])
    if isStreamed { Console.write(prompt) }
    let start = ContinuousClock.now
    var count = 0
    while !generation.isFinished {
      for step in try generation.step() {
        if let probability = step.logProbability { logProbabilities[step.sequence].append(probability) }
        let text = streams[step.sequence].push(step.token)
        if isStreamed { Console.write(text) }
        if streams[step.sequence].isStopped { generation.finish(step.sequence) }
        count += 1
      }
    }
    let rate = Double(count) / max((.now - start) / .seconds(1), 1e-9)
    for index in streams.indices {
      let rest = streams[index].finish()
      if isStreamed { Console.write(rest) }
    }
    if isStreamed { Console.print() }
    if json { printJSON(prompt) }
    if !json, !isStreamed { printSamples(prompt) }
    Console.printNote("\(count) tokens, \(NumberText.significant(rate)) tokens/s")
  }

  /// Ids where there is no vocabulary.
  private func text(_ tokens: [Int32]) -> String {
    guard let tokenizer else { return tokens.map { "\($0) " }.joined() }
    return tokenizer.decode(tokens).withoutControlCharacters
  }

  private func printSamples(_ prompt: String) {
    for (index, stream) in streams.enumerated() {
      Console.print("--- \(index + 1)\n\(prompt)\(stream.text)")
    }
  }

  private func printJSON(_ prompt: String) {
    for (index, tokens) in generation.tokens.enumerated() {
      let text: JSONText = tokenizer == nil ? .null : .text(prompt + streams[index].text)
      Console.print(
        JSONText.object([
          ("tokens", .array(tokens.map { .integer(Int($0)) })), ("text", text),
          ("log_probabilities", .array(logProbabilities[index].map { .double($0) })),
        ]).encoded)
    }
  }
}

/// Text that comes token by token and ends before the first stop string: what may still become one is held back.
struct StoppingText {
  /// What was given out.
  private(set) var text = ""
  private(set) var isStopped = false
  private var stream: TextStream?
  private var held = ""
  private let stops: [String]

  init(tokenizer: Tokenizer?, stops: [String]) {
    stream = tokenizer.map { TextStream(tokenizer: $0) }
    self.stops = stops
  }

  /// What a token lets out; an id where there is no vocabulary.
  mutating func push(_ token: Int32) -> String {
    guard !isStopped else { return "" }
    let pushed = stream?.push(token) ?? "\(token) "
    held += pushed.withoutControlCharacters
    return release(all: false)
  }

  /// What is left at the end.
  mutating func finish() -> String {
    guard !isStopped else { return "" }
    held += (stream?.finish() ?? "").withoutControlCharacters
    return release(all: true)
  }

  private mutating func release(all: Bool) -> String {
    if let first = stops.compactMap({ held.firstRange(of: $0)?.lowerBound }).min() {
      isStopped = true
      held = String(held[..<first])
    }
    let waiting = all || isStopped ? 0 : longestBeginningOfAStop()
    let out = String(held.dropLast(waiting))
    held = String(held.suffix(waiting))
    text += out
    return out
  }

  /// Characters at the end of what is held that a stop string begins with.
  private func longestBeginningOfAStop() -> Int {
    let longest = stops.map(\.count).max() ?? 0
    return (1..<max(1, min(longest, held.count + 1))).last { count in
      stops.contains { $0.hasPrefix(held.suffix(count)) }
    } ?? 0
  }
}
