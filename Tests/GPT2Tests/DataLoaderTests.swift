import GPT2
import TestSupport
import Testing

@Suite struct DataLoaderTests {
  /// Tokens that are their positions, from `first` on.
  private static func file(_ count: Int32, from first: Int32 = 0) -> TokenFile {
    TokenFile(name: "tokens", tokens: Array(first..<first + count))
  }

  private static func loader(
    _ files: [TokenFile], batchSize: Int = 2, sequenceLength: Int = 3, vocabularySize: Int = 1000
  ) throws -> DataLoader {
    try DataLoader(
      files: files, batchSize: batchSize, sequenceLength: sequenceLength, vocabularySize: vocabularySize)
  }

  /// The first inputs of the next `count` batches.
  private static func starts(_ loader: inout DataLoader, _ count: Int) -> [Int32] {
    (0..<count).map { _ in
      loader.nextBatch()
      return loader.inputs[0]
    }
  }

  @Test func targetsAreTheInputsShiftedByOne() throws {
    var loader = try Self.loader([Self.file(20)])
    #expect(loader.inputs.isEmpty)
    loader.nextBatch()
    #expect(loader.inputs == [0, 1, 2, 3, 4, 5])
    #expect(loader.targets == [1, 2, 3, 4, 5, 6])
    loader.nextBatch()
    #expect(loader.inputs == [6, 7, 8, 9, 10, 11])
    #expect(loader.targets == [7, 8, 9, 10, 11, 12])
  }

  /// Twelve tokens leave no target for a second batch of six; thirteen do.
  @Test(arguments: [(7, 1), (12, 1), (13, 2), (18, 2), (19, 3)])
  func rewindsWhereABatchDoesNotFit(tokens: Int32, batches: Int) throws {
    var loader = try Self.loader([Self.file(tokens)])
    #expect(loader.batchCount == batches)
    let onePass = (0..<Int32(batches)).map { $0 * 6 }
    #expect(Self.starts(&loader, 3 * batches) == onePass + onePass + onePass)
  }

  @Test func filesFollowEachOther() throws {
    var loader = try Self.loader([Self.file(13), Self.file(9, from: 100), Self.file(7, from: 200)])
    #expect(loader.batchCount == 4)
    #expect(Self.starts(&loader, 6) == [0, 6, 100, 200, 0, 6])
    #expect(loader.targets == [7, 8, 9, 10, 11, 12])
  }

  @Test func resetStartsOver() throws {
    var loader = try Self.loader([Self.file(13), Self.file(13, from: 100)])
    #expect(Self.starts(&loader, 3) == [0, 6, 100])
    loader.reset()
    #expect(Self.starts(&loader, 3) == [0, 6, 100])
  }

  /// The case's files hold exactly steps · B · T + 1 tokens.
  @Test(arguments: ReferenceCase.all)
  func bothFormatsOfAReferenceCaseGiveItsBatches(reference: ReferenceCase) throws {
    for url in [reference.tokensInt32, reference.tokensUInt16] {
      var loader = try DataLoader(
        paths: [url.path], batchSize: reference.batchSize, sequenceLength: reference.sequenceLength,
        vocabularySize: reference.vocabulary)
      #expect(loader.batchCount == reference.steps)
      for step in 0...reference.steps {
        let expected = try reference.batch(step % reference.steps)
        loader.nextBatch()
        #expect(loader.inputs == expected.inputs, "step \(step)")
        #expect(loader.targets == expected.targets, "step \(step)")
      }
    }
  }

  // MARK: - Bad input

  @Test func sizesBelowOne() {
    for size in [0, -1, Int.min] {
      #expect(
        sentence { _ = try Self.loader([Self.file(20)], batchSize: size) }
          == "the batch size should be at least 1, but is \(size).")
      #expect(
        sentence { _ = try Self.loader([Self.file(20)], sequenceLength: size) }
          == "the sequence length should be at least 1, but is \(size).")
    }
  }

  @Test func tooFewTokens() {
    for count: Int32 in [0, 1, 6] {
      #expect(
        sentence { _ = try Self.loader([Self.file(20), Self.file(count)]) }
          == "tokens: a batch needs at least 7 tokens (batch size × sequence length + 1), but the file has "
          + "\(count).")
    }
    #expect(
      sentence { _ = try Self.loader([]) } == "at least one token file should be given, but there is none."
    )
  }

  @Test func batchesBeyondTheAddressSpace() {
    for (batchSize, sequenceLength) in [(Int.max, 1), (Int.max, 2), (1 << 40, 1 << 40)] {
      #expect(
        sentence {
          _ = try Self.loader([Self.file(20)], batchSize: batchSize, sequenceLength: sequenceLength)
        }
          == "a batch of \(batchSize) × \(sequenceLength) tokens should be smaller than the address space.")
    }
  }

  @Test func idsBeyondTheVocabularyAreFoundInEveryFile() {
    #expect(
      sentence { _ = try Self.loader([Self.file(20), Self.file(20, from: 5)], vocabularySize: 24) }
        == "tokens: the token at position 19 should be below the vocabulary size 24 and not negative, but is 24."
    )
    #expect(sentence { _ = try Self.loader([Self.file(20)], vocabularySize: 20) } == nil)
  }

  @Test func missingFileIsNamed() {
    #expect(
      sentence {
        _ = try DataLoader(paths: ["/no/such.bin"], batchSize: 1, sequenceLength: 1, vocabularySize: 9)
      }?.contains("/no/such.bin") == true)
  }
}
