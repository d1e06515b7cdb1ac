import GPT2
import Machine
import Operators
import Synchronization
import TestSupport
import Testing
import Tokens

@Suite struct GenerationTests {
  private static let tiny = ReferenceCase.tiny

  private func options(_ change: (inout GenerationOptions) -> Void = { _ in }) -> GenerationOptions {
    var options = GenerationOptions()
    change(&options)
    return options
  }

  private func generate(
    _ model: Model, _ prompts: [[Int32]], _ options: GenerationOptions
  ) throws -> [[Int32]] {
    let generation = try Generation(model.network, prompts: prompts, options: options)
    while !generation.isFinished { _ = try generation.step() }
    return generation.tokens
  }

  /// Token by token from full passes that keep everything: what generation must give.
  private func fullPasses(
    _ model: Model, _ prompt: [Int32], _ options: GenerationOptions, seed: UInt64? = nil
  ) throws -> [Int32] {
    var generator = XorshiftGenerator(seed: seed ?? options.seed)
    let (context, vocabulary) = (
      model.configuration.maximumSequenceLength, model.configuration.vocabularySize
    )
    var tokens = prompt
    while tokens.count < options.length, options.pastContext == .slide || tokens.count < context {
      let window = Array(tokens.suffix(context))
      try model.forward(window, batchSize: 1, sequenceLength: window.count)
      let logits = Array(try model.logits().suffix(vocabulary))
      let coin = options.sampling.temperature == 0 ? 0 : generator.nextFloat()
      tokens.append(
        Int32(Sampler.pick(logits.span, after: tokens, options: options.sampling, coin: coin)))
      if tokens.last == options.endToken { break }
    }
    return tokens
  }

  /// The options that a token may be picked by.
  private static let samplings: [SamplingOptions] = {
    func sampling(_ change: (inout SamplingOptions) -> Void) -> SamplingOptions {
      var options = SamplingOptions()
      change(&options)
      return options
    }
    return [
      sampling { _ in }, sampling { $0.temperature = 0 },
      sampling {
        $0.temperature = 0.7
        $0.topK = 9
        $0.topP = 0.9
        $0.minP = 0.02
        $0.repetitionPenalty = 1.3
      },
    ]
  }()

  // MARK: - The tokens of full passes

  /// Up to the context's end and, sliding, beyond it, on every instruction set and on 1 to 3 threads.
  @Test(arguments: ReferenceCase.all, InstructionSet.available)
  func tokensAreThoseOfFullPasses(_ reference: ReferenceCase, _ set: InstructionSet) throws {
    let models = try (1...3).map { try reference.model(threads: $0, instructionSet: set) }
    let context = models[0].configuration.maximumSequenceLength
    for (index, sampling) in Self.samplings.enumerated() {
      for past in GenerationOptions.PastContext.allCases {
        let options = options {
          $0.sampling = sampling
          $0.length = context + 5
          $0.pastContext = past
          $0.seed = UInt64(70 + index)
        }
        let expected = try fullPasses(models[0], [1, 2, 3], options)
        #expect(expected.count == (past == .stop ? context : context + 5))
        for model in models {
          #expect(try generate(model, [[1, 2, 3]], options) == [expected], "\(sampling) \(past)")
        }
      }
    }
  }

  /// Sequences of one batch are what each is alone with its seed, whatever prompts and lengths stand beside it; equal
  /// prompts are computed once.
  @Test(arguments: GenerationOptions.PastContext.allCases)
  func sequencesOfABatchAreThoseAlone(_ past: GenerationOptions.PastContext) throws {
    let model = try Self.tiny.model()
    let prompts: [[Int32]] = [[4], [1, 2, 3, 4, 5, 6, 7, 8], [4], [9, 9], [4]]
    let options = options {
      $0.length = 20
      $0.pastContext = past
      $0.endToken = 23
    }
    let together = try generate(model, prompts, options)
    for (index, prompt) in prompts.enumerated() {
      let seed = options.seed &+ UInt64(index) &* 0x9E37_79B9_7F4A_7C15
      #expect(together[index] == (try fullPasses(model, prompt, options, seed: seed)), "sequence \(index)")
    }
    #expect(Set(together).count == prompts.count, "equal prompts draw differently")
    #expect(together.contains { $0.last == 23 }, "one of them ends by itself")
  }

  /// The samples of `gpt2 train` before there was a cache, which computed every token from a whole pass: two in a row
  /// on `tiny`, beyond its context of 16.
  @Test func trainingsSamplesAreWhatTheyWere() throws {
    let model = try Self.tiny.model()
    var generator = XorshiftGenerator(seed: 1337)
    let golden: [[Int32]] = [
      [
        0, 0, 1, 4, 26, 22, 15, 13, 17, 15, 22, 17, 15, 24, 23, 8, 13, 11, 24, 18, 25, 16, 2, 24, 18, 3, 16,
        14, 24,
        10, 19, 8, 28, 5, 5, 16, 9, 1, 1, 6,
      ],
      [
        0, 15, 24, 24, 22, 24, 9, 24, 18, 19, 24, 10, 13, 24, 4, 28, 24, 24, 19, 2, 15, 24, 23, 28, 21, 25,
        28, 28,
        9, 5, 22, 3, 26, 2, 19, 9, 19, 19, 18, 9,
      ],
    ]
    for expected in golden {
      #expect(try model.sample(after: [0], length: 40, generator: &generator) == expected)
    }
    // `gpt2 generate` gives the first for the same seed.
    let sliding = options {
      $0.length = 40
      $0.pastContext = .slide
    }
    #expect(try generate(model, [[0]], sliding) == [golden[0]])
  }

  /// Sliding is what samples beyond the context always were: whole passes over the last tokens.
  @Test func longPromptsSlide() throws {
    let model = try Self.tiny.model()
    var random = TestRandom(seed: 71)
    let prompt = random.tokens(25, vocabulary: Self.tiny.vocabulary)
    let options = options {
      $0.length = 30
      $0.pastContext = .slide
    }
    var generator = XorshiftGenerator(seed: options.seed)
    let expected = try model.sample(after: prompt, length: 30, generator: &generator)
    #expect(try generate(model, [prompt], options) == [expected])
    #expect(try fullPasses(model, prompt, options) == expected)
  }

  // MARK: - Steps

  @Test func stepsTellTokensInOrderAndTheirProbabilities() throws {
    let model = try Self.tiny.model()
    let options = options {
      $0.length = 8
      $0.reportsProbabilities = true
      $0.sampling.temperature = 0.5
      $0.sampling.topK = 3
    }
    let generation = try Generation(model.network, prompts: [[1, 2, 3], [4]], options: options)
    var found: [[Int32]] = [[1, 2, 3], [4]]
    while !generation.isFinished {
      let steps = try generation.step()
      #expect(steps.map(\.sequence) == steps.map(\.sequence).sorted())
      for step in steps {
        let tokens = found[step.sequence]
        try model.forward(tokens, batchSize: 1, sequenceLength: tokens.count)
        let logits = Array(try model.logits().suffix(Self.tiny.vocabulary))
        // By the model itself: neither temperature nor filters matter.
        #expect(step.logProbability == Sampler.logProbability(of: Int(step.token), logits.span))
        found[step.sequence].append(step.token)
      }
    }
    #expect(found == generation.tokens && found.allSatisfy { $0.count == 8 })
    #expect(try generation.step().isEmpty)
  }

  @Test func finishedSequencesRest() throws {
    let model = try Self.tiny.model()
    let options = options { $0.length = 12 }
    let generation = try Generation(model.network, prompts: [[1], [2], [3]], options: options)
    _ = try generation.step()
    generation.finish(1)
    while !generation.isFinished { #expect(try generation.step().map(\.sequence) == [0, 2]) }
    #expect(generation.tokens.map(\.count) == [12, 2, 12])
    #expect(generation.tokens[0] == (try fullPasses(model, [1], options)))
  }

  @Test func aPromptOfTheWholeLengthIsLeftAlone() throws {
    let generation = try Generation(
      try Self.tiny.model().network, prompts: [[1, 2, 3]], options: options { $0.length = 3 })
    #expect(generation.isFinished && generation.tokens == [[1, 2, 3]])
  }

  // MARK: - A sequence of tokens

  @Test func asynchronousTokensAreTheSame() async throws {
    let model = try Self.tiny.model()
    let options = options { $0.length = 10 }
    var found: [[Int32]] = [[1], [2]]
    for try await step in GeneratedTokens(
      try Generation(model.network, prompts: found, options: options))
    {
      found[step.sequence].append(step.token)
    }
    #expect(found == (try generate(model, [[1], [2]], options)))
  }

  /// Not one token comes after the task is cancelled.
  @Test func cancellationEndsWithinAToken() async throws {
    let taken = Mutex(0)
    let task = Task {
      let generation = try Generation(
        try Self.tiny.model().network, prompts: [[1]], options: options { $0.length = 16 })
      for try await _ in GeneratedTokens(generation) {
        taken.withLock { $0 += 1 }
        // Until it is cancelled, after the third.
        while taken.withLock({ $0 }) == 3, !Task.isCancelled { await Task.yield() }
      }
      return generation.tokens[0].count
    }
    while taken.withLock({ $0 }) < 3 { await Task.yield() }
    task.cancel()
    #expect(try await task.value == 4, "the prompt and three tokens")
    #expect(taken.withLock { $0 } == 3)
  }

  // MARK: - What is refused

  @Test func promptsThatDoNotFitAreRefused() throws {
    let network = try Self.tiny.model().network
    func text(_ prompt: [Int32], _ change: (inout GenerationOptions) -> Void = { _ in }) -> String {
      sentence { _ = try Generation(network, prompts: [prompt], options: options(change)) } ?? ""
    }
    #expect(text([]).contains("length of the prompt should be at least 1"))
    #expect(
      text([1, 29]).contains("token 1 of the prompt should be within the vocabulary 0..<29, but is 29"))
    #expect(text([-1]).contains("but is -1"))
    let long = [Int32](repeating: 1, count: 16)
    #expect(text(long).contains("fewer than 16 tokens, the model's context, but has 16"))
    #expect(text(long) { $0.pastContext = .slide } == "")
    #expect(text([1]) { $0.length = 0 }.contains("the length should be in 1...65536, but is 0"))
    #expect(text([1]) { $0.sampling.topP = 2 }.contains("top-p"))
  }

  /// Damaged parameters end a generation with a sentence, not with tokens.
  @Test func logitsThatAreNotFiniteEndIt() throws {
    let model = try Self.tiny.model()
    model.parameters["lnfb"]?[0] = .nan
    let generation = try Generation(model.network, prompts: [[1, 2]], options: options())
    #expect(throws: ModelError.nonFiniteLogits(tokens: 2)) { try generation.step() }
    #expect(generation.tokens == [[1, 2]])
  }

  /// The cache is as long as the text, not as the context.
  @Test func memoryIsThatOfTheLength() throws {
    let decoder = try Decoder(try Self.tiny.model().network, sequences: 2, capacity: 5)
    #expect(decoder.capacity == 5)
    #expect(throws: ModelError.sequenceTooLong(sequenceLength: 6, maximum: 5)) {
      try decoder.prefill([1, 2, 3, 4, 5, 6])
    }
    #expect(try Decoder(try Self.tiny.model().network, capacity: 1000).capacity == 16)
  }
}
