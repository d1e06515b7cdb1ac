import Foundation
import GPT2
import Machine
import Operators
import TestSupport
import Testing

/// The key–value cache against the full forward pass: the same bits.
@Suite struct DecoderTests {
  /// (V) after the last of `tokens`, by a forward pass that keeps everything.
  private func logits(after tokens: [Int32], _ model: Model) throws -> [Float] {
    try model.forward(tokens, batchSize: 1, sequenceLength: tokens.count)
    return Array(try model.logits().suffix(model.configuration.vocabularySize))
  }

  /// Every position up to the context's end, on every instruction set, from a prompt of each kind of length.
  @Test(arguments: ReferenceCase.all, InstructionSet.available)
  func hasTheBitsOfTheFullPass(_ reference: ReferenceCase, _ set: InstructionSet) throws {
    let model = try reference.model(instructionSet: set)
    let context = model.configuration.maximumSequenceLength
    var random = TestRandom(seed: 31)
    let tokens = random.tokens(context, vocabulary: reference.vocabulary)
    let decoder = try Decoder(model.network)
    for promptLength in [1, context / 2, context] {
      var found = try decoder.prefill(Array(tokens.prefix(promptLength))).values
      #expect(firstDifference(found, try logits(after: Array(tokens.prefix(promptLength)), model)) == nil)
      for position in promptLength..<context {
        found = try decoder.append([tokens[position]], to: [0]).values
        let expected = try logits(after: Array(tokens.prefix(position + 1)), model)
        #expect(firstDifference(found, expected) == nil, "position \(position) after \(promptLength)")
      }
      #expect(decoder.lengths == [context])
    }
  }

  /// In bfloat16 every position of a context beyond a block of 128 keys, from prompts that end about it, against one pass
  /// over all; on every instruction set and number of threads, with each unit and without, heads of an odd size.
  @Test(arguments: [OperandPrecision.bf16, .bf16AMX])
  func hasTheBitsOfTheFullPassInBFloat16(_ precision: OperandPrecision) throws {
    let configuration = try Configuration(
      maximumSequenceLength: 133, vocabularySize: 131, paddedVocabularySize: 140, layers: 2, heads: 3,
      channels: 21)
    var random = TestRandom(seed: 34)
    let tokens = random.tokens(133, vocabulary: 131)
    var expected: [Float] = []
    func check(_ context: ExecutionContext) throws {
      let model = try Model(configuration: configuration, precision: precision, context: context)
      model.initialize(seed: 6)
      try model.forward(tokens, batchSize: 1, sequenceLength: tokens.count)
      let logits = try model.logits()
      if expected.isEmpty { expected = logits }
      let decoder = try Decoder(model.network)
      for promptLength in [1, 127, 128, 129, 133] {
        var found = try decoder.prefill(Array(tokens.prefix(promptLength))).values
        for position in promptLength..<tokens.count {
          found += try decoder.append([tokens[position]], to: [0]).values
        }
        let rest = Array(expected[(promptLength - 1) * 131..<133 * 131])
        #expect(
          firstDifference(found, rest) == nil,
          "after \(promptLength) on \(context.instructionSet), \(context.threads) threads")
      }
    }
    try withEveryContext(check)
    for unit in TileUnit.all(beside: .best) {
      try check(
        ExecutionContext(threads: 2, instructionSet: .best, withMatrixUnit: false, tileUnit: unit))
    }
  }

  /// A prompt of 1024 rows a thread rounds the masters as it goes; the steps behind it multiply what is laid out, which
  /// nothing was before.
  @Test func stepsFollowPromptsOfManyRows() throws {
    let configuration = try Configuration(
      maximumSequenceLength: 1027, vocabularySize: 19, layers: 1, heads: 1, channels: 8)
    let model = try Model(
      configuration: configuration, precision: .bf16, context: ExecutionContext(threads: 1))
    model.initialize(seed: 7)
    var random = TestRandom(seed: 35)
    let tokens = random.tokens(1027, vocabulary: 19)
    let decoder = try Decoder(model.network)
    var found = try decoder.prefill(Array(tokens.prefix(1024))).values
    for token in tokens[1024...] { found += try decoder.append([token], to: [0]).values }
    try model.forward(tokens, batchSize: 1, sequenceLength: tokens.count)
    #expect(firstDifference(found, Array(try model.logits().suffix(found.count))) == nil)
  }

  /// Contexts beyond a block of 128 keys, and beyond the two of a task of attention, at head sizes beyond a vector and
  /// beyond the 256 of a part.
  @Test(arguments: [(3, 12), (1, 300), (2, 64)], [OperandPrecision.fp32, .bf16])
  func longContexts(_ size: (heads: Int, headSize: Int), _ precision: OperandPrecision) throws {
    let (heads, headSize) = size
    let configuration = try Configuration(
      maximumSequenceLength: 300, vocabularySize: 19, layers: 2, heads: heads, channels: heads * headSize)
    let model = try Model(
      configuration: configuration, precision: precision, context: ExecutionContext(threads: 2))
    model.initialize(seed: 4)
    var random = TestRandom(seed: 32)
    let tokens = random.tokens(300, vocabulary: 19)
    let decoder = try Decoder(model.network)
    _ = try decoder.prefill(Array(tokens.prefix(120)))
    for position in 120..<300 {
      let found = try decoder.append([tokens[position]], to: [0]).values
      guard [120, 127, 128, 129, 200, 255, 256, 257, 299].contains(position) else { continue }
      let expected = try logits(after: Array(tokens.prefix(position + 1)), model)
      #expect(firstDifference(found, expected) == nil, "position \(position)")
    }
  }

  /// The whole context of GPT-2 124M with random weights, every position against one full pass. By hand: GPT2_TEST_124M=1,
  /// 2.5 GB and a minute or two.
  @Test(
    .enabled(if: ProcessInfo.processInfo.environment["GPT2_TEST_124M"] != nil),
    arguments: [OperandPrecision.fp32, .bf16])
  func wholeContextAt124M(_ precision: OperandPrecision) throws {
    let configuration = try Configuration.preset(named: "gpt2-124M")
    let model = try Model(configuration: configuration, precision: precision, context: ExecutionContext())
    model.initialize()
    var random = TestRandom(seed: 33)
    let (context, vocabulary) = (configuration.maximumSequenceLength, configuration.vocabularySize)
    let tokens = random.tokens(context, vocabulary: vocabulary)
    try model.forward(tokens, batchSize: 1, sequenceLength: context)
    let logits = Matrix(
      try model.activation("logits"), rows: context, columns: vocabulary,
      rowStride: configuration.paddedVocabularySize)
    let decoder = try Decoder(model.network)
    var different = 0
    for position in 0..<context {
      let found =
        try position == 0 ? decoder.prefill([tokens[0]]) : decoder.append([tokens[position]], to: [0])
      if firstDifference(found.values, logits[position..<position + 1].values) != nil { different += 1 }
    }
    #expect(different == 0)
  }

  /// Sequences of different lengths in one batch are what each is by itself, on any number of threads.
  @Test(arguments: [1, 2, 3], OperandPrecision.allCases)
  func sequencesAreIndependent(_ threads: Int, _ precision: OperandPrecision) throws {
    let model = try Model(
      checkpoint: Checkpoint(path: ReferenceCase.tiny.model.path), precision: precision,
      context: ExecutionContext(threads: threads))
    let prompts: [[Int32]] = [[1, 2, 3, 4, 5], [6], [7, 8]]
    let together = try Decoder(model.network, sequences: 3)
    let alone = try prompts.map { _ in try Decoder(model.network) }
    for (index, prompt) in prompts.enumerated() {
      _ = try together.prefill(prompt, sequence: index)
      _ = try alone[index].prefill(prompt)
    }
    for step in 0..<6 {
      // Some sequences pause.
      let sequences = [[0, 1, 2], [2, 0], [1], [2, 1, 0], [0], [1, 2]][step]
      let tokens = sequences.map { Int32(9 + step + $0) }
      let logits = try together.append(tokens, to: sequences)
      for (row, sequence) in sequences.enumerated() {
        let expected = try alone[sequence].append([tokens[row]], to: [0]).values
        #expect(firstDifference(logits[row..<row + 1].values, expected) == nil, "\(step) \(sequence)")
      }
    }
    #expect(together.lengths == alone.flatMap(\.lengths))
  }

  @Test func refusesWhatDoesNotFit() throws {
    let reference = ReferenceCase.tiny
    let decoder = try Decoder(try reference.model().network)
    #expect(throws: ModelError.notPositive(name: "sequence length", size: 0)) { try decoder.prefill([]) }
    let length = decoder.capacity + 1
    #expect(throws: ModelError.sequenceTooLong(sequenceLength: length, maximum: decoder.capacity)) {
      try decoder.prefill([Int32](repeating: 1, count: length))
    }
    _ = try decoder.prefill([Int32](repeating: 1, count: decoder.capacity))
    #expect(throws: ModelError.sequenceTooLong(sequenceLength: length, maximum: decoder.capacity)) {
      try decoder.append([1], to: [0])
    }
    _ = try decoder.prefill([1])
    #expect(throws: ModelError.self) { try decoder.append([Int32(reference.vocabulary)], to: [0]) }
    #expect(decoder.lengths == [1])
    #expect(throws: ModelError.notPositive(name: "number of sequences", size: 0)) {
      try Decoder(try reference.model().network, sequences: 0)
    }
  }
}

extension Matrix {
  /// Copies of all elements, row by row.
  fileprivate var values: [Float] { (0..<rows).flatMap { self[$0..<$0 + 1].flat.array() } }
}
