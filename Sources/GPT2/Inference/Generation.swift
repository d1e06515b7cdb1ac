import Machine
import Operators
import Tokens

/// How sequences are continued.
public struct GenerationOptions: Sendable {
  public var sampling = SamplingOptions()
  /// Tokens of a sequence, its prompt included; at most `longestLength`.
  public var length = 64
  public var pastContext = PastContext.stop
  /// Ends a sequence when it is picked; nil: nothing does.
  public var endToken: Int32?
  /// Whether steps tell the token's probability: some milliseconds a token where the vocabulary is GPT-2's.
  public var reportsProbabilities = false
  /// Sequence i draws from a generator of its own: the first as training's samples do.
  public var seed: UInt64 = 1337

  public init() {}

  /// Beyond the context each token takes a whole pass: more of them would take days.
  public static let longestLength = 1 << 16

  /// What happens where a sequence has as many tokens as the model's context.
  public enum PastContext: String, CaseIterable, Sendable {
    /// It ends.
    case stop
    /// Each further token is picked from the last tokens alone that the context holds, all of which are computed anew.
    case slide
  }

  /// - Throws: `GenerationError.option`.
  public func check() throws(GenerationError) {
    try sampling.check()
    guard (1...Self.longestLength).contains(length) else {
      throw .option(name: "the length", expected: "in 1...\(Self.longestLength)", found: "\(length)")
    }
  }
}

/// Continues prompts, all at once and token by token.
///
/// The tokens of a sequence depend on its prompt, the options and its number alone: not on the other sequences, the
/// number of threads or the instruction set.
///
///     let generation = try Generation(model.network, prompts: [prompt], options: options)
///     while !generation.isFinished { for next in try generation.step() { print(next.token) } }
///
/// Memory: that of `Decoder` for as many positions as the options ask for.
public final class Generation {
  /// One token that a step added.
  public struct Step: Sendable, Equatable {
    /// The index of its prompt.
    public let sequence: Int
    public let token: Int32
    /// Of the token by the model, before penalty, temperature and filters; nil unless the options ask for it.
    public let logProbability: Double?
  }

  private struct Sequence {
    var tokens: [Int32]
    var generator: XorshiftGenerator
    /// Whether the decoder's cache holds all tokens but the newest.
    var isCached = false
    var isFinished = false
  }

  public let options: GenerationOptions
  private let decoder: Decoder
  private var sequences: [Sequence]

  /// - Parameter prompts: at least one, each at least one token.
  /// - Throws: `GenerationError`: options out of range, a prompt that is empty, too long to end with the context, or has a
  ///   token outside the vocabulary; memory.
  public init(
    _ network: Network, prompts: [[Int32]], options: GenerationOptions
  ) throws(GenerationError) {
    try options.check()
    let context = network.configuration.maximumSequenceLength
    for prompt in prompts {
      if options.pastContext == .stop, prompt.count >= context, prompt.count < options.length {
        throw .promptTooLong(tokens: prompt.count, context: context)
      }
      try Self.check(prompt, vocabularySize: network.configuration.vocabularySize)
    }
    self.options = options
    do {
      decoder = try Decoder(network, sequences: prompts.count, capacity: options.length)
    } catch { throw .model(error) }
    sequences = prompts.enumerated().map { index, prompt in
      // Seeds that differ in their lowest bits draw alike at first; the golden ratio spreads them.
      Sequence(
        tokens: prompt,
        generator: XorshiftGenerator(seed: options.seed &+ UInt64(index) &* 0x9E37_79B9_7F4A_7C15),
        isFinished: prompt.count >= options.length)
    }
  }

  private static func check(_ prompt: [Int32], vocabularySize: Int) throws(GenerationError) {
    guard !prompt.isEmpty else { throw .model(.notPositive(name: "length of the prompt", size: 0)) }
    do { _ = try BoundedIntegers(prompt, below: vocabularySize) } catch {
      throw .model(
        .tokenOutsideVocabulary(
          name: "prompt", position: error.position, token: error.value, vocabularySize: vocabularySize))
    }
  }

  public var isFinished: Bool { sequences.allSatisfy(\.isFinished) }

  /// Prompt and continuation of each.
  public var tokens: [[Int32]] { sequences.map(\.tokens) }

  /// Ends a sequence before its length, as where a stop string has come.
  public func finish(_ sequence: Int) { sequences[sequence].isFinished = true }

  /// Adds a token to each sequence that is not finished.
  ///
  /// - Returns: the tokens, by sequence; none where all are finished.
  /// - Throws: `ModelError`: memory; logits that are not finite, of a damaged model: nothing is picked from them.
  public func step() throws(ModelError) -> [Step] {
    var steps: [Step] = []
    let cached = sequences.indices.filter { sequences[$0].isCached && !sequences[$0].isFinished }
    if !cached.isEmpty {
      let logits = try decoder.append(cached.map { sequences[$0].tokens.last ?? 0 }, to: cached)
      for (row, index) in cached.enumerated() {
        steps.append(try add(to: index, from: logits[row..<row + 1].flat))
      }
    }
    var others = sequences.indices.filter { index in
      !sequences[index].isFinished && !cached.contains(index)
    }
    while let first = others.first {
      let window = sequences[first].tokens.suffix(decoder.capacity)
      let alike = others.filter { sequences[$0].tokens.suffix(decoder.capacity) == window }
      others.removeAll { alike.contains($0) }
      steps += try begin(alike, Array(window))
    }
    return steps.sorted { $0.sequence < $1.sequence }
  }

  /// Fills the caches of sequences whose last tokens are those of `window`, once for all, and adds a token to each.
  private func begin(_ alike: [Int], _ window: [Int32]) throws(ModelError) -> [Step] {
    let logits = try decoder.prefill(window, sequence: alike[0]).flat
    var steps: [Step] = []
    for index in alike {
      steps.append(try add(to: index, from: logits))
      sequences[index].isCached = sequences[index].tokens.count <= decoder.capacity
    }
    let kept = alike.dropFirst().filter { sequences[$0].isCached && !sequences[$0].isFinished }
    if !kept.isEmpty { decoder.copy(alike[0], to: kept) }
    return steps
  }

  private func add(to index: Int, from logits: Tensor) throws(ModelError) -> Step {
    let (tokens, options) = (sequences[index].tokens, options)
    var generator = sequences[index].generator
    let step = try logits.withSpan { (logits) throws(ModelError) in
      guard logits.indices.allSatisfy({ logits[$0].isFinite }) else {
        throw .nonFiniteLogits(tokens: tokens.count)
      }
      let coin = options.sampling.temperature == 0 ? 0 : generator.nextFloat()
      let token = Sampler.pick(logits, after: tokens, options: options.sampling, coin: coin)
      return Step(
        sequence: index, token: Int32(token),
        logProbability: options.reportsProbabilities ? Sampler.logProbability(of: token, logits) : nil)
    }
    sequences[index].generator = generator
    sequences[index].tokens.append(step.token)
    let count = sequences[index].tokens.count
    // The newest token has no place in a full cache.
    if count > decoder.capacity { sequences[index].isCached = false }
    sequences[index].isFinished =
      count >= options.length || step.token == options.endToken
      || options.pastContext == .stop && count >= decoder.capacity
    return step
  }
}

/// The tokens of a generation as they come; ends within one token after its task is cancelled.
///
///     for try await step in GeneratedTokens(generation) { … }
///
/// Each token is computed by the task that asks for it, which does nothing else meanwhile.
public struct GeneratedTokens: AsyncSequence {
  private let generation: Generation

  /// - Precondition: nobody else steps the generation meanwhile.
  public init(_ generation: Generation) { self.generation = generation }

  public func makeAsyncIterator() -> Iterator { Iterator(generation: generation) }

  public struct Iterator: AsyncIteratorProtocol {
    fileprivate let generation: Generation
    private var waiting: [Generation.Step] = []

    fileprivate init(generation: Generation) { self.generation = generation }

    public mutating func next() async throws(ModelError) -> Generation.Step? {
      if Task.isCancelled { return nil }
      if waiting.isEmpty { waiting = try generation.step() }
      return waiting.isEmpty ? nil : waiting.removeFirst()
    }
  }
}
