import Foundation
import TestSupport
import Testing
import Tokens

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
  private static func starts(_ loader: inout DataLoader, _ count: Int) throws -> [Int32] {
    try (0..<count).map { _ in
      try loader.nextBatch()
      return loader.inputs[0]
    }
  }

  @Test func targetsAreTheInputsShiftedByOne() throws {
    var loader = try Self.loader([Self.file(20)])
    #expect(loader.inputs.isEmpty)
    try loader.nextBatch()
    #expect(loader.inputs.array == [0, 1, 2, 3, 4, 5])
    #expect(loader.targets.array == [1, 2, 3, 4, 5, 6])
    try loader.nextBatch()
    #expect(loader.inputs.array == [6, 7, 8, 9, 10, 11])
    #expect(loader.targets.array == [7, 8, 9, 10, 11, 12])
  }

  /// Twelve tokens leave no target for a second batch of six; thirteen do.
  @Test(arguments: [(7, 1), (12, 1), (13, 2), (18, 2), (19, 3)])
  func rewindsWhereABatchDoesNotFit(tokens: Int32, batches: Int) throws {
    var loader = try Self.loader([Self.file(tokens)])
    #expect(loader.batchCount == batches)
    let onePass = (0..<Int32(batches)).map { $0 * 6 }
    #expect(try Self.starts(&loader, 3 * batches) == onePass + onePass + onePass)
  }

  @Test func filesFollowEachOther() throws {
    var loader = try Self.loader([Self.file(13), Self.file(9, from: 100), Self.file(7, from: 200)])
    #expect(loader.batchCount == 4)
    #expect(try Self.starts(&loader, 6) == [0, 6, 100, 200, 0, 6])
    #expect(loader.targets.array == [7, 8, 9, 10, 11, 12])
  }

  /// Wherever they are, and whatever loader goes on from a position.
  @Test func filesShorterThanABatchArePassedOver() throws {
    let files = [0, 13, 6, 9, 1, 0].enumerated().map { Self.file($1, from: 100 * Int32($0)) }
    var loader = try Self.loader(files)
    #expect(loader.batchCount == 3)
    #expect(loader.shortFiles.map(\.count) == [0, 6, 1, 0])
    #expect(loader.position == .init(file: 1, token: 0, fileTokens: 13))
    #expect(try Self.starts(&loader, 7) == [100, 106, 300, 100, 106, 300, 100])
    var resumed = try Self.loader(files)
    try resumed.move(to: loader.position)
    #expect(try Self.starts(&resumed, 3) == [106, 300, 100])
    loader.reset()
    #expect(try Self.starts(&loader, 1) == [100])
  }

  @Test func resetStartsOver() throws {
    var loader = try Self.loader([Self.file(13), Self.file(13, from: 100)])
    #expect(try Self.starts(&loader, 3) == [0, 6, 100])
    loader.reset()
    #expect(try Self.starts(&loader, 3) == [0, 6, 100])
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
        try loader.nextBatch()
        #expect(loader.inputs.array == expected.inputs, "step \(step)")
        #expect(loader.targets.array == expected.targets, "step \(step)")
      }
    }
  }

  // MARK: - Position

  /// After every batch of three passes, over files that end with and without a rest: another loader that is put
  /// there goes on with the same batches.
  @Test(arguments: [[7], [20], [13, 9, 7], [12, 25]] as [[Int32]])
  func anotherLoaderGoesOnFromAPosition(counts: [Int32]) throws {
    let files = counts.enumerated().map { Self.file($1, from: 100 * Int32($0)) }
    var loader = try Self.loader(files)
    for batch in 0..<3 * loader.batchCount {
      let position = loader.position
      var resumed = try Self.loader(files)
      try resumed.move(to: position)
      #expect(resumed.position == position)
      var uninterrupted = loader
      for _ in 0...loader.batchCount {
        try uninterrupted.nextBatch()
        try resumed.nextBatch()
        #expect(resumed.inputs.array == uninterrupted.inputs.array, "from batch \(batch)")
        #expect(resumed.targets.array == uninterrupted.targets.array, "from batch \(batch)")
        #expect(resumed.position == uninterrupted.position, "from batch \(batch)")
      }
      try loader.nextBatch()
    }
  }

  @Test func aPositionSaysWhereTheNextBatchBegins() throws {
    var loader = try Self.loader([Self.file(13), Self.file(9, from: 100)])
    #expect(loader.position == .init(file: 0, token: 0, fileTokens: 13))
    for (file, token, count) in [(0, 6, 13), (0, 12, 13), (1, 6, 9), (0, 6, 13)] {
      try loader.nextBatch()
      #expect(loader.position == .init(file: file, token: token, fileTokens: count))
    }
    loader.reset()
    #expect(loader.position == .init(file: 0, token: 0, fileTokens: 13))
  }

  /// A loader of other sizes may go on from the same token.
  @Test func aPositionIsOneOfTokens() throws {
    var loader = try Self.loader([Self.file(30)], batchSize: 1, sequenceLength: 4)
    try loader.move(to: .init(file: 0, token: 9, fileTokens: 30))
    #expect(try Self.starts(&loader, 6) == [9, 13, 17, 21, 25, 0])
  }

  @Test(arguments: [
    (DataLoader.Position(file: 2, token: 0, fileTokens: 9), "in one of 2 files"),
    (.init(file: -1, token: 0, fileTokens: 9), "in one of 2 files"),
    (.init(file: 0, token: 6, fileTokens: 9), "in a file of 13 tokens, as tokens is"),
    (.init(file: 1, token: 9, fileTokens: 9), "at one of the 9 tokens of tokens"),
    (.init(file: 1, token: -6, fileTokens: 9), "at one of the 9 tokens of tokens"),
  ])
  func refusesAPositionOfOtherFiles(position: DataLoader.Position, expected: String) throws {
    var loader = try Self.loader([Self.file(13), Self.file(9, from: 100)])
    try loader.nextBatch()
    #expect(
      sentence { try loader.move(to: position) }
        == "the position in the data should be \(expected), but is token \(position.token) of file "
        + "\(position.file), which has \(position.fileTokens) tokens.")
    #expect(try Self.starts(&loader, 2) == [6, 100], "the loader is as before")
  }

  // MARK: - Bad input

  @Test func aFileThatIsChangedMeanwhileIsRefused() throws {
    let folder = try ScratchDirectory()
    var file = FileBytes()
    file.append([Int32](0..<9))
    let path = try folder.write(file.bytes)
    var loader = try DataLoader(paths: [path], batchSize: 1, sequenceLength: 4, vocabularySize: 9)
    try loader.nextBatch()
    let handle = try FileHandle(forWritingTo: URL(filePath: path))
    try handle.seek(toOffset: 4 * 6)
    try handle.write(contentsOf: Data(FileBytes.littleEndian(9)))
    try handle.close()
    #expect(
      sentence { try loader.nextBatch() }
        == "\(path): the token at position 6 should be below the vocabulary size 9 and not negative, but is 9."
    )
    #expect(loader.inputs.array == [0, 1, 2, 3] && loader.position.token == 4, "the loader is as before")
  }

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
      let needed = "a batch needs at least 7 tokens (batch size × sequence length + 1), but the"
      #expect(
        sentence { _ = try Self.loader([Self.file(count)]) } == "tokens: \(needed) file has \(count).")
      #expect(
        sentence { _ = try Self.loader([Self.file(0), Self.file(count), Self.file(0)]) }
          == "tokens and 2 more: \(needed) longest has \(count).")
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
