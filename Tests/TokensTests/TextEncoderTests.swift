import Foundation
import TestSupport
import Testing
import Tokens

@Suite struct TextEncoderTests {
  private let directory: ScratchDirectory

  init() throws { directory = try ScratchDirectory() }

  /// The same vocabulary from both of its formats.
  private func encoders() throws -> [TextEncoder] {
    let paths = [
      try directory.write(TestVocabulary.llm), try TestVocabulary.write(to: directory.path),
    ]
    return try paths.map { try TextEncoder(try Tokenizer(path: $0)) }
  }

  private static func ids(_ tokens: [String]) -> [Int32] {
    tokens.map { Int32(TestVocabulary.tokens.firstIndex(of: $0)!) }
  }

  @Test func mergesGoByRank() throws {
    let cases: [(text: String, tokens: [String])] = [
      ("", []), ("hello", ["hello"]), ("hell", ["hell"]), ("hel", ["he", "l"]),
      ("hello the world", ["hello", "Ġthe", "Ġworld"]),
      // "in" comes before "Ġw or", and pieces do not merge into each other.
      ("aaaaaaa", ["aaaa", "aa", "a"]), ("aaa", ["aa", "a"]), ("rein", ["re", "in"]),
      ("we're", ["w", "e", "'re"]), ("é", ["Ã©"]), ("\n\n", ["ĊĊ"]), ("\n\nx", ["Ċ", "Ċ", "x"]),
      ("<|endoftext|>", ["<", "|", "e", "n", "d", "o", "f", "t", "e", "x", "t", "|", ">"]),
      // "bc" is merged before "abc" could be.
      ("abc", ["abc"]), ("aabc", ["aa", "bc"]),
    ]
    for encoder in try encoders() {
      for (text, tokens) in cases { #expect(try encoder.encode(text) == Self.ids(tokens), "\(text)") }
      // Pieces that were met before come from another place.
      for (text, tokens) in cases { #expect(try encoder.encode(text) == Self.ids(tokens), "\(text)") }
    }
  }

  /// One merge after the other over all of the piece, as the original's loop has it.
  private static func naive(_ piece: [UInt8]) -> [Int32] {
    var tokens = piece.map { [$0] }
    for merge in TestVocabulary.merges {
      let parts = merge.split(separator: " ").map { name in
        TestVocabulary.bytes[TestVocabulary.tokens.firstIndex(of: String(name))!]
      }
      var merged: [[UInt8]] = []
      for token in tokens {
        if merged.last == parts[0], token == parts[1] {
          merged[merged.count - 1] += token
        } else {
          merged.append(token)
        }
      }
      tokens = merged
    }
    return tokens.map { Int32(TestVocabulary.bytes.firstIndex(of: $0)!) }
  }

  /// Letters alone are one piece; its length decides which way it is merged, and whether it is remembered.
  @Test func piecesOfEveryLengthAreMergedAlike() throws {
    let encoder = try encoders()[0]
    var generator = XorshiftGenerator(seed: 3)
    for length in Array(1...70) + [100, 257, 1000] {
      for _ in 0..<20 {
        let piece = (0..<length).map { _ in Array("aaabcehlloorwingd".utf8).randomElement(using: &generator)!
        }
        #expect(try encoder.encode(piece) == Self.naive(piece), "\(String(decoding: piece, as: UTF8.self))")
      }
    }
  }

  /// Longer than what is merged at a time.
  @Test(arguments: ["a", "abc", "helo", "aaabcehlloorwingd"])
  func longPiecesAreMergedAsAWhole(letters: String) throws {
    let encoder = try encoders()[0]
    var generator = XorshiftGenerator(seed: 5)
    for length in [65_537, 131_073, 300_000] {
      let piece = (0..<length).map { _ in Array(letters.utf8).randomElement(using: &generator)! }
      let isSame = try encoder.encode(piece) == Self.naive(piece)
      #expect(isSame, "\(length) of \(letters)")
    }
  }

  /// Of 52 letters in a row the last two merge first, so that the end of a row decides how its beginning is paired: where
  /// a window ends after 51 of them, more must be merged again than the few tokens at its end.
  @Test func whatComesLateDecidesWhatCameEarly() throws {
    let letters = Array("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ".utf8)
    let pairs = (0..<51).reversed().map { [letters[$0], letters[$0 + 1]] }
    let tokens = (0...255).map { [UInt8($0)] } + pairs + [Array("<|endoftext|>".utf8)]
    let encoder = try TextEncoder(Tokenizer(tokens: tokens, endOfText: Int32(tokens.count - 1)))
    // 2¹⁶ − 17 is a multiple of 52 and 51 more.
    let text = Array("Z".utf8).repeated(17) + letters.repeated(4000)
    let row = stride(from: 0, to: 52, by: 2).map { Int32(256 + 50 - $0) }
    let isSame = try encoder.encode(text) == [Int32](repeating: 0x5A, count: 17) + row.repeated(4000)
    #expect(isSame)
  }

  @Test func aMegabyteWithoutASpace() throws {
    let encoder = try encoders()[0]
    let count = 1 << 20
    #expect(
      try encoder.encode([UInt8](repeating: 0x61, count: count)) == Self.ids(["aaaa"]).repeated(count / 4))
    let text = Array("hello".utf8).repeated(count / 5)
    #expect(try encoder.encode(text) == Self.ids(["hello"]).repeated(count / 5))
  }

  /// What is no UTF-8 comes back as it was, too.
  @Test func anyBytesComeBack() throws {
    let encoder = try encoders()[1]
    var generator = XorshiftGenerator(seed: 4)
    for _ in 0..<2000 {
      let isText = Bool.random(using: &generator)
      let bytes = (0..<Int.random(in: 0...40, using: &generator)).map { _ in
        isText
          ? Array(" helo'rein\n".utf8).randomElement(using: &generator)!
          : UInt8.random(in: 0...255, using: &generator)
      }
      let tokens = try encoder.encode(bytes)
      #expect(tokens.flatMap { encoder.tokenizer.bytes(of: $0) ?? [] } == bytes)
      #expect(try TextEncoder(.bytes).encode(bytes) == bytes.map { Int32($0) })
    }
  }

  @Test func copiesAreIndependent() throws {
    let first = try encoders()[0]
    _ = try first.encode("hello the world")
    let second = first.copy()
    #expect(try second.encode("hello in the world") == first.encode("hello in the world"))
  }

  @Test func charactersAreTheirOwnTokens() throws {
    let tokenizer = Tokenizer.characters("hé€😀 é".unicodeScalars)
    #expect(tokenizer.vocabularySize == 6)
    #expect(tokenizer.endOfText == 0)
    #expect(tokenizer.decode([0, 1, 2, 3, 4, 5]) == "\n hé€😀")
    let encoder = try TextEncoder(tokenizer)
    #expect(try encoder.encode("€é \n😀h") == [4, 3, 1, 0, 5, 2])
    #expect(throws: TextError.unknownCharacter(offset: 3, scalar: "x")) { try encoder.encode("héx") }
    #expect(throws: TextError.invalidUTF8(offset: 1, byte: 0xE2)) { try encoder.encode([0x68, 0xE2, 0x82]) }
  }

  @Test(.enabled(if: Fixtures.sharedURL("data") != nil))
  func theReferenceStringsHaveTheReferenceTokens() throws {
    struct Case: Decodable {
      let text: String
      let tokens: [Int32]
    }
    let data = try #require(Fixtures.sharedURL("data/tokenizer"))
    let reference = try #require(Fixtures.sharedURL("reference/tokens.json"))
    let cases = try JSONDecoder().decode([Case].self, from: Data(contentsOf: reference))
    #expect(cases.count == 400)
    for name in ["gpt2_tokenizer.bin", "vocab.json"] {
      let encoder = try TextEncoder(try Tokenizer(path: data.path + "/" + name))
      for item in cases {
        #expect(try encoder.encode(item.text) == item.tokens, "\(name): \(item.text)")
        #expect(encoder.tokenizer.decode(item.tokens) == item.text)
      }
    }
  }

  @Test func vocabulariesThatHaveNoMerges() throws {
    func refusal(_ tokens: [[UInt8]]) -> String? {
      sentence { _ = try TextEncoder(Tokenizer(tokens: tokens, endOfText: 0), path: "FILE") }
    }
    let bytes = (0...255).map { [UInt8($0)] }
    #expect(refusal(bytes) == nil)
    #expect(refusal(Array(bytes.dropLast())) == "FILE: byte 255 should be a token, but is none.")
    #expect(
      refusal(bytes + [[65, 66, 67]])
        == "FILE: token 256, 'ABC', should be what two earlier ones merge into, but is made of 3.")
    #expect(
      refusal(bytes + [[32, 66], [32, 66]])
        == "FILE: the token 'ĠB' should be there once, but is there twice, as 256 and 257.")
  }

  /// Special tokens that a vocabulary was made with come first; no merge makes them, and no text.
  @Test func tokensBeforeTheBytesAreSpecial() throws {
    let special = ["<pad>", "<|endoftext|>"].map { Array($0.utf8) }
    let tokens = special + (0...255).map { [UInt8($0)] } + [Array("pa".utf8), Array("pad".utf8)]
    var file = FileBytes(header: [20_240_328, 2, Int32(tokens.count), 1]).bytes
    for token in tokens { file += [UInt8(token.count)] + token }
    let encoder = try TextEncoder(try Tokenizer(path: directory.write(file)))
    #expect(try encoder.encode("<pad>") == [62, 259, 64])
    #expect(encoder.tokenizer.decode([0, 259, 1]) == "<pad>pad<|endoftext|>")
  }
}

extension Array {
  fileprivate func repeated(_ count: Int) -> [Element] { (0..<count).flatMap { _ in self } }
}
