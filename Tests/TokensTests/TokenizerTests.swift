import Foundation
import TestSupport
import Testing
import Tokens

@Suite struct TokenizerTests {
  private let directory: ScratchDirectory

  init() throws { directory = try ScratchDirectory() }

  private static func file(_ tokens: [[UInt8]], version: Int32 = 2, end: Int32 = 0) -> [UInt8] {
    FileBytes(header: [20_240_328, version, Int32(tokens.count), end]).bytes
      + tokens.flatMap { [UInt8($0.count)] + $0 }
  }

  private func tokenizer(_ tokens: [[UInt8]]) throws -> Tokenizer {
    try Tokenizer(path: directory.write(Self.file(tokens)))
  }

  /// The 256 bytes, a token each.
  private func byteTokenizer() throws -> Tokenizer {
    try tokenizer((0...255).map { [UInt8($0)] })
  }

  // MARK: - Tokens and text

  @Test func tokensAndTheEndOfText() throws {
    let tokens = [Array("the".utf8), [0xE2, 0x82], [0xAC], Array(" end".utf8)]
    let path = try directory.write(Self.file(tokens, end: 3))
    let tokenizer = try Tokenizer(path: path)
    #expect(tokenizer.vocabularySize == 4)
    #expect(tokenizer.endOfText == 3)
    #expect((-1...4).map { tokenizer.bytes(of: $0) } == [nil] + tokens + [nil])
    #expect(tokenizer.decode([0, 1, 2, 3]) == "the€ end")
    #expect(tokenizer.decode([]) == "")
    #expect(tokenizer.decode([1, 0]) == "\u{FFFD}the")
    #expect(tokenizer.decode([0, -1, .max, .min]) == "the\u{FFFD}\u{FFFD}\u{FFFD}")
  }

  @Test func versionOneEndsTextAsGPT2Does() throws {
    let tokens = (0..<50257).map { Array("\($0)".utf8) }
    let tokenizer = try Tokenizer(path: directory.write(Self.file(tokens, version: 1, end: 7)))
    #expect(tokenizer.endOfText == 50256)
    #expect(tokenizer.decode([50256, 12]) == "5025612")
    #expect(
      try refusal(Self.file([[1]], version: 1))
        == "FILE: the id of the end of text should be in 0..<1, but is 50256.")
  }

  @Test(.enabled(if: Fixtures.sharedURL("data") != nil))
  func tinyShakespeareIsDecoded() throws {
    let data = try #require(Fixtures.sharedURL("data"))
    let tokenizer = try Tokenizer(path: data.path + "/tokenizer/gpt2_tokenizer.bin")
    #expect(tokenizer.vocabularySize == 50257)
    #expect(tokenizer.endOfText == 50256)
    let text = try String(contentsOfFile: data.path + "/tiny_shakespeare.txt", encoding: .utf8)
    // The text was cut at its empty lines, each piece opened by the end of text; validation came first.
    var decoded: [UInt8] = []
    for part in ["val", "train"] {
      let file = try TokenFile(path: data.path + "/tiny_shakespeare_\(part)_u16.bin")
      let tokens = file.tokens(in: 0..<file.count).filter { $0 != tokenizer.endOfText }
      decoded += Array(tokenizer.decode(tokens).utf8)
    }
    // Outside of #expect, which would print both.
    let isSame = decoded == Array(text.utf8)
    #expect(isSame)
  }

  @Test func streamsGiveOutWholeCharacters() throws {
    let tokenizer = try byteTokenizer()
    var stream = TextStream(tokenizer: tokenizer)
    let parts = Array("aé€😀".utf8).map { stream.push(Int32($0)) }
    #expect(parts == ["a", "", "é", "", "", "€", "", "", "", "😀"])
    #expect(stream.finish() == "")
    #expect([0xF0, 0x9F].map { stream.push($0) } == ["", ""])
    #expect(stream.finish() == "\u{FFFD}")
    #expect(stream.push(0x61) == "a")
  }

  /// Bytes that are mostly of UTF-8's multi-byte kind: every way to be broken comes up.
  @Test func streamsJoinToTheDecodedText() throws {
    let tokenizer = try byteTokenizer()
    var generator = XorshiftGenerator()
    let interesting: [Int32] = [
      0x41, 0x80, 0xA0, 0xBF, 0xC0, 0xC2, 0xE0, 0xE2, 0xED, 0xF0, 0xF4, 0xF5, 0xFF, 999,
    ]
    for _ in 0..<2000 {
      let tokens = (0..<12).map { _ in interesting.randomElement(using: &generator)! }
      var stream = TextStream(tokenizer: tokenizer)
      let parts = tokens.map { stream.push($0) }
      let joined = parts.joined() + stream.finish()
      #expect(Array(joined.unicodeScalars) == Array(tokenizer.decode(tokens).unicodeScalars), "\(tokens)")
    }
  }

  @Test func controlCharactersAreLeftOut() {
    let text = "a\u{1B}[31mb\u{0}\u{7}\tc\r\nd\u{7F}\u{9B}é\u{FFFD}"
    #expect(text.withoutControlCharacters == "a[31mb\tc\r\ndé\u{FFFD}")
  }

  // MARK: - Bad files

  private func refusal(_ bytes: [UInt8]) throws -> String? {
    let path = try directory.write(bytes)
    return sentence { _ = try Tokenizer(path: path) }.map { $0.replacing(path, with: "FILE") }
  }

  @Test func everyTruncation() throws {
    let whole = Self.file([[1], [2, 3], [4, 5, 6], [7]])
    for length in 0..<whole.count {
      #expect(try refusal(Array(whole[..<length])) != nil, "accepted with \(length) bytes")
    }
    #expect(try refusal(whole) == nil)
    #expect(
      try refusal(Array(whole.dropLast()))
        == "FILE: the length of token 3 should be at least 1 and at most the 0 bytes that are left, but is 1."
    )
    #expect(
      try refusal(Array(whole.dropLast(2)))
        == "FILE: the file should be 4 tokens long, as its header says, but is truncated after 3 of them.")
    #expect(try refusal(whole + [0])?.hasSuffix("bytes, 1 too many.") == true)
  }

  @Test func wrongFields() throws {
    func header(_ fields: [Int32]) -> [UInt8] { FileBytes(header: fields).bytes + [1, 65, 1, 66] }
    #expect(
      try refusal(header([20_240_520, 2, 2, 0]))
        == "FILE: the file should be an llm.c tokenizer, a tokenizer.json, or a vocab.json with merges.txt beside it, but "
        + "is an llm.c data file: it goes behind --train-data of 'gpt2 train', or --data of 'gpt2 evaluate'.")
    #expect(try refusal(header([20_240_328, 3, 2, 0])) == "FILE: the version should be 1 or 2, but is 3.")
    for size: Int32 in [0, -1, 3, .max, .min] {
      #expect(
        try refusal(header([20_240_328, 2, size, 0]))
          == "FILE: the vocabulary size should be in 1...2, as the file's size allows, but is \(size).")
    }
    for end: Int32 in [-1, 2, .max] {
      #expect(
        try refusal(header([20_240_328, 2, 2, end]))
          == "FILE: the id of the end of text should be in 0..<2, but is \(end).")
    }
    #expect(
      try refusal(FileBytes(header: [20_240_328, 2, 2, 0]).bytes + [0, 1, 65, 66])
        == "FILE: the length of token 0 should be at least 1 and at most the 3 bytes that are left, but is 0."
    )
  }
}
