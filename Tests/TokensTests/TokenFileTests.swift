import TestSupport
import Testing
import Tokens

@Suite struct TokenFileTests {
  private let directory: ScratchDirectory

  init() throws { directory = try ScratchDirectory() }

  private static func headed(_ tokens: [UInt16], count: Int32? = nil, version: Int32 = 1) -> [UInt8] {
    var file = FileBytes(header: [20_240_520, version, count ?? Int32(tokens.count)])
    file.append(tokens)
    return file.bytes
  }

  private static func raw(_ tokens: [Int32]) -> [UInt8] {
    var file = FileBytes()
    file.append(tokens)
    return file.bytes
  }

  @Test func bothFormatsGiveTheSameTokens() throws {
    let tokens: [Int32] = [0, 1, 50256, 65535, 258]
    let files = [
      try TokenFile(path: directory.write(Self.raw(tokens), to: "a")),
      try TokenFile(path: directory.write(Self.headed(tokens.map { UInt16($0) }), to: "b")),
      TokenFile(name: "memory", tokens: tokens),
    ]
    for file in files {
      #expect(file.count == 5)
      #expect(file.tokens(in: 0..<5) == tokens)
      #expect(file.tokens(in: 2..<4) == [50256, 65535])
      #expect(file.tokens(in: 5..<5) == [])
      #expect((0..<5).map { file.token(at: $0) } == tokens)
    }
  }

  @Test(
    .enabled(if: Fixtures.sharedURL("data") != nil),
    arguments: [("train", 305_260), ("val", 32_768)])
  func tinyShakespeareIsTheSameInBothFormats(part: String, count: Int) throws {
    let url = try #require(Fixtures.sharedURL("data"))
    let raw = try TokenFile(path: url.path + "/tiny_shakespeare_\(part)_i32.bin")
    let headed = try TokenFile(path: url.path + "/tiny_shakespeare_\(part)_u16.bin")
    #expect(raw.count == count)
    let isSame = raw.tokens(in: 0..<count) == headed.tokens(in: 0..<headed.count)
    #expect(isSame)
    try raw.validate(vocabularySize: 50257)
  }

  // MARK: - Bad files

  private func refusal(_ bytes: [UInt8]) throws -> String? {
    let path = try directory.write(bytes)
    return sentence { _ = try TokenFile(path: path) }.map { $0.replacing(path, with: "FILE") }
  }

  @Test(arguments: [1, 3, 5, 4097])
  func sizesThatAreNoTokens(byteCount: Int) throws {
    #expect(
      try refusal([UInt8](repeating: 0, count: byteCount))
        == "FILE: the file's size should be a multiple of 4 bytes, as it holds int32 token ids, or of 2, as it holds "
        + "uint16, but is \(byteCount) bytes.")
  }

  @Test func everyTruncationOfAHeadedFile() throws {
    let whole = Self.headed([1, 2, 3, 4, 5])
    // Below four bytes there is no magic number yet: an empty file is one of no tokens, two bytes are one of uint16.
    for length in 1..<whole.count where length != 2 {
      let text = try #require(try refusal(Array(whole[..<length])), "accepted with \(length) bytes")
      #expect(text.contains("the file's size"), "\(length) bytes: \(text)")
    }
    #expect(try refusal(whole) == nil)
    #expect(
      try refusal(whole + [0])
        == "FILE: the file's size should be the 1034 bytes that its header says, but is 1035 bytes, 1 too many."
    )
  }

  @Test func wrongFields() throws {
    #expect(
      try refusal(Self.headed([1, 2], version: 2)) == "FILE: the version should be 1, but is 2.")
    #expect(
      try refusal(Self.headed([1, 2], count: -1))
        == "FILE: the number of tokens should be at least 0, but is -1.")
    #expect(try refusal(Self.headed([1, 2], count: .max))?.contains("the file's size") == true)
    #expect(
      try refusal(FileBytes(header: [20_240_801, 1, 0]).bytes) == "FILE: the version should be 7, but is 1.")
    #expect(
      try refusal(FileBytes(header: [20_240_326, 3]).bytes)
        == "FILE: the file should be an llm.c data file, but is an llm.c checkpoint: it goes behind --checkpoint."
    )
  }

  @Test func idsOutsideTheVocabulary() throws {
    for (position, token) in [(0, -1), (3, 100), (4, Int32.max), (2, .min)] as [(Int, Int32)] {
      var tokens: [Int32] = [0, 99, 5, 6, 7]
      tokens[position] = token
      let path = try directory.write(Self.raw(tokens))
      let file = try TokenFile(path: path)
      #expect(
        sentence { try file.validate(vocabularySize: 100) }
          == "\(path): the token at position \(position) should be below the vocabulary size 100 and not "
          + "negative, but is \(token).")
      if token >= 0 && token < .max { try file.validate(vocabularySize: Int(token) + 1) }
    }
  }
}
