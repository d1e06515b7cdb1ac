import Foundation
import GPT2
import Operators
import TestSupport
import Testing
import Tokens

@Suite struct EvaluationTests {
  private static let tiny = ReferenceCase.tiny

  private func evaluate(
    _ model: Model, _ files: [TokenFile], length: Int, stride: Int? = nil, batchSize: Int = 4,
    tokenizer: Tokenizer? = nil
  ) throws -> Evaluation {
    let windows = try Evaluation.Windows(
      length: length, stride: stride, batchSize: batchSize, for: model.configuration)
    var evaluation = Evaluation()
    for file in files {
      try evaluation.add(
        file, windows: windows, network: model.network, in: model.inference, tokenizer: tokenizer)
    }
    return evaluation
  }

  private func file(_ count: Int, seed: UInt64 = 80) -> TokenFile {
    var random = TestRandom(seed: seed)
    return TokenFile(name: "tokens", tokens: random.tokens(count, vocabulary: Self.tiny.vocabulary))
  }

  /// The windows of inputs, and how many of each one's targets earlier windows had: by hand, for 9 inputs.
  private static let windows: [(length: Int, stride: Int, windows: [(inputs: Range<Int>, skipped: Int)])] = [
    (9, 9, [(0..<9, 0)]), (16, 16, [(0..<9, 0)]), (4, 4, [(0..<4, 0), (4..<8, 0), (8..<9, 0)]),
    (3, 3, [(0..<3, 0), (3..<6, 0), (6..<9, 0)]), (1, 1, (0..<9).map { ($0..<$0 + 1, 0) }),
    (4, 3, [(0..<4, 0), (3..<7, 1), (6..<9, 1)]),
    (5, 2, [(0..<5, 0), (2..<7, 3), (4..<9, 3)]),
    (8, 7, [(0..<8, 0), (7..<9, 1)]),
    (6, 1, [(0..<6, 0), (1..<7, 5), (2..<8, 5), (3..<9, 5)]),
  ]

  /// Every token but the first is predicted once, from what its window has before it: the bits of forward passes over
  /// each window, whatever the number of windows computed at once.
  @Test(arguments: windows.indices, [1, 2, 4])
  func windowsAreThoseByHand(_ index: Int, batchSize: Int) throws {
    let (length, stride, windows) = Self.windows[index]
    let (model, file) = (try Self.tiny.model(), file(10))
    var total = 0.0
    for window in windows {
      let targets = window.inputs.lowerBound + 1..<window.inputs.upperBound + 1
      try model.forward(
        file.tokens(in: window.inputs), targets: file.tokens(in: targets), batchSize: 1,
        sequenceLength: window.inputs.count)
      total += try model.activation("losses").array().dropFirst(window.skipped).reduce(0.0) {
        $0 + Double($1)
      }
    }
    let found = try evaluate(model, [file], length: length, stride: stride, batchSize: batchSize)
    #expect(found.tokens == 9)
    // The same numbers, added in another grouping.
    #expect(abs(found.totalLoss - total) <= 9 * .ulpOfOne * total)
    #expect(found.loss == found.totalLoss / 9)
    #expect(abs(found.perplexity - exp(found.loss)) <= 8 * .ulpOfOne * found.perplexity)
    #expect(found.bytes == 0 && found.bitsPerByte == nil)
  }

  /// What is gone of a file's last page reads as zeros, which no batch is made of.
  @Test func aFileThatShrinksWithinAPage() throws {
    let (model, folder) = (try Self.tiny.model(), try ScratchDirectory())
    let path = try folder.write([UInt8](repeating: 0, count: 400), to: "x.bin")
    let file = try TokenFile(path: path, type: .int32)
    let windows = try Evaluation.Windows(length: 8, batchSize: 1, for: model.configuration)
    var (evaluation, batches) = (Evaluation(), 0)
    let found = sentence {
      try evaluation.add(file, windows: windows, network: model.network, in: model.inference) { _ in
        batches += 1
        try? FileHandle(forUpdatingAtPath: path)?.truncate(atOffset: 300)
      }
    }
    #expect(batches == 1)
    #expect(found?.hasSuffix("but was changed meanwhile, from 400 bytes to 300.") == true, "\(found ?? "")")
    #expect(sentence { _ = try file.tokens(in: 0..<10, below: 5) } == found)
  }

  /// A window of a batch's shape is what `Model.evaluate` computes.
  @Test func meansAreThoseOfTheModel() throws {
    let (model, file) = (try Self.tiny.model(), file(33))
    let expected = try model.evaluate(
      file.tokens(in: 0..<32), targets: file.tokens(in: 1..<33), batchSize: 2, sequenceLength: 16)
    #expect(Float(try evaluate(model, [file], length: 16).loss) == expected)
  }

  /// The case's first batch, by the case's own loss; rule 3 of the numerical rules.
  @Test(arguments: ReferenceCase.all) func lossesOfReferenceCases(_ reference: ReferenceCase) throws {
    let (inputs, targets) = try reference.batch()
    let file = TokenFile(name: "batch", tokens: inputs + [targets[targets.count - 1]])
    let found = try evaluate(try reference.model(), [file], length: reference.sequenceLength)
    let expected = try reference.expected()
    let error = abs(found.loss - (try expected.scalar("loss")))
    #expect(found.tokens == inputs.count)
    #expect(error <= (try expected.float32Tolerance("loss")))
  }

  /// Overlapping windows against the formula in Double, within the same rule's bound.
  @Test func slidingAgainstDouble() throws {
    let (length, stride, file) = (16, 5, file(40))
    var reference = try Self.tiny.referenceModel(Double.self)
    var (total, counted) = (0.0, 0)
    for start in Swift.stride(from: 0, to: 39 - length + stride, by: stride) {
      let inputs = start..<min(39, start + length)
      let targets = file.tokens(in: inputs.lowerBound + 1..<inputs.upperBound + 1)
      let logits = reference.forward(
        file.tokens(in: inputs), targets: targets, batchSize: 1, sequenceLength: inputs.count
      ).logits
      for position in max(counted, inputs.lowerBound)..<inputs.upperBound {
        let row = (position - inputs.lowerBound) * Self.tiny.vocabulary
        let sum = logits[row..<row + Self.tiny.vocabulary].reduce(0) { $0 + exp($1) }
        total += log(sum) - logits[row + Int(targets[position - inputs.lowerBound])]
      }
      counted = inputs.upperBound
    }
    #expect(counted == 39)
    let found = try evaluate(try Self.tiny.model(), [file], length: length, stride: stride)
    let tolerance = try Self.tiny.expected().float32Tolerance("loss")
    #expect(found.tokens == 39 && abs(found.loss - total / 39) <= tolerance)
  }

  @Test func filesAddUp() throws {
    let model = try Self.tiny.model()
    let files = [file(20), file(7, seed: 81), file(2, seed: 82)]
    let parts = try files.map { try evaluate(model, [$0], length: 8) }
    let all = try evaluate(model, files, length: 8)
    #expect(all.tokens == 19 + 6 + 1)
    #expect(abs(all.totalLoss - parts.reduce(0) { $0 + $1.totalLoss }) <= 1e-12)
  }

  /// With a model of the bytes and the end of text: five predicted bytes, and an end that is none.
  @Test func bitsPerByteByHand() throws {
    let configuration = try Configuration(
      maximumSequenceLength: 8, vocabularySize: 257, layers: 1, heads: 1, channels: 4)
    // All parameters 0: every token has the probability 1/257.
    let model = try Model(configuration: configuration, context: ExecutionContext(threads: 1))
    let file = TokenFile(name: "text", tokens: [256] + "hé!".utf8.map { Int32($0) } + [256, 0x61])
    let found = try evaluate(model, [file], length: 8, tokenizer: .bytes)
    #expect(found.tokens == 6 && found.bytes == 5)
    let expected = 6 * log2(257.0) / 5
    // The loss of a token is a Float.
    #expect(abs((found.bitsPerByte ?? 0) - expected) <= 4 * 0x1p-24 * expected)
    #expect(abs(found.perplexity - 257) <= 4 * 0x1p-24 * log(257) * 257)
  }

  @Test func progressCountsTokens() throws {
    let model = try Self.tiny.model()
    var seen: [Int] = []
    var evaluation = Evaluation()
    let windows = try Evaluation.Windows(length: 4, batchSize: 2, for: model.configuration)
    try evaluation.add(file(22), windows: windows, network: model.network, in: model.inference) {
      seen.append($0)
    }
    #expect(seen == [8, 16, 20, 21])
  }

  @Test func sameBitsOnAnyThreadsAndInstructionSet() throws {
    var losses: Set<UInt64> = []
    for set in InstructionSet.available {
      for threads in 1...3 {
        let model = try Self.tiny.model(threads: threads, instructionSet: set)
        losses.insert(try evaluate(model, [file(50)], length: 16, stride: 7).totalLoss.bitPattern)
      }
    }
    #expect(losses.count == 1)
  }

  // MARK: - What is refused

  @Test func windowsOutsideTheirRangesAreRefused() throws {
    let configuration = try Self.tiny.model().configuration
    func text(_ length: Int, _ stride: Int? = nil, _ batchSize: Int = 4) -> String {
      sentence {
        _ = try Evaluation.Windows(length: length, stride: stride, batchSize: batchSize, for: configuration)
      } ?? ""
    }
    #expect(text(0).contains("the window should be in 1...16, the model's context, but is 0"))
    #expect(text(17).contains("but is 17"))
    #expect(text(8, 0).contains("the stride should be in 1...8, the window, but is 0"))
    #expect(text(8, 9).contains("but is 9"))
    #expect(text(8, 8, 0).contains("the batch size should be at least 1"))
    #expect(text(16, 1) == "")
  }

  @Test func filesThatCannotBePredictedAreRefused() throws {
    let model = try Self.tiny.model()
    func text(_ tokens: [Int32]) -> String {
      sentence { _ = try evaluate(model, [TokenFile(name: "FILE", tokens: tokens)], length: 4) } ?? ""
    }
    #expect(
      text([]).contains("FILE: the file should have at least 2 tokens, one to predict another, but has 0"))
    #expect(text([1]).contains("but has 1"))
    #expect(text([1, 2]) == "")
    // The last, too, which is no input.
    #expect(
      text([1, 2, 29]).contains("FILE: the token at position 2 should be below the vocabulary size 29"))
    #expect(text([-1, 2, 3]).contains("position 0"))
    model.parameters["lnfb"]?[0] = .nan
    #expect(text([1, 2, 3]).contains("FILE: the loss of token 1 should be finite"))
  }
}

@Suite struct HellaSwagTests {
  private static let tiny = ReferenceCase.tiny
  private static let example = HellaSwagExample(
    context: [1, 2, 3], completions: [[4], [5, 6, 7], [8, 9], [10, 11, 12, 13]], label: 0)

  /// Each completion by itself: the mean loss of its tokens after the context, to the bit; what fills up the batch
  /// reaches nothing.
  @Test func lossesAreTheMeansOfCompletions() throws {
    let model = try Self.tiny.model()
    let example = Self.example
    let expected = try example.completions.map { completion in
      let tokens = example.context + completion
      try model.forward(
        Array(tokens.dropLast()), targets: Array(tokens.dropFirst()), batchSize: 1,
        sequenceLength: tokens.count - 1)
      let losses = try model.activation("losses").array().suffix(completion.count)
      return losses.reduce(0.0) { $0 + Double($1) } / Double(completion.count)
    }
    var score = HellaSwag()
    #expect(try score.add(example, network: model.network, in: model.inference) == expected)
    let best = expected.indices.min { expected[$0] < expected[$1] }
    for label in example.completions.indices {
      var score = HellaSwag()
      let labelled = HellaSwagExample(
        context: example.context, completions: example.completions, label: label)
      try score.add(labelled, network: model.network, in: model.inference)
      #expect(score.examples == 1 && score.right == (label == best ? 1 : 0))
    }
  }

  /// Of equal losses the first wins; with all parameters 0 all are equal.
  @Test func theFirstOfEqualsWins() throws {
    let model = try Model(
      configuration: Self.tiny.model().configuration, context: ExecutionContext(threads: 1))
    var score = HellaSwag()
    for label in 0..<4 {
      try score.add(
        HellaSwagExample(context: [1], completions: [[2], [3, 4], [5], [6, 7]], label: label),
        network: model.network, in: model.inference)
    }
    #expect(score.examples == 4 && score.right == 1 && score.accuracy == 0.25)
  }

  @Test func examplesThatDoNotFitAreRefused() throws {
    let directory = try ScratchDirectory()
    let model = try Self.tiny.model()
    func text(_ context: Int, _ completion: Int, token: Int32 = 1) throws -> String {
      let file = try HellaSwagFile(
        path: directory.write(
          HellaSwagBytes.file([
            ([1], [[1]], 0),
            ([Int32](repeating: 1, count: context), [[2], [Int32](repeating: token, count: completion)], 0),
          ])), encoder: nil)
      return sentence { try HellaSwag.check(file, for: model.configuration) } ?? ""
    }
    // The last token predicts nothing: 17 need a context of 16.
    #expect(try text(10, 7) == "")
    #expect(
      try text(10, 8).contains("example 1 should be at most the model's context of 16 tokens, but is 17"))
    #expect(try text(3, 2, token: 29).contains("example 1 should be within the model's vocabulary 0..<29"))
    model.parameters["lnfb"]?[0] = .nan
    var score = HellaSwag()
    #expect(throws: ModelError.self) {
      try score.add(Self.example, network: model.network, in: model.inference)
    }
    #expect(score == HellaSwag())
  }
}
