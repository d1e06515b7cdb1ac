import Foundation
import Machine
import TestSupport
import Testing
import Tokens

@Suite struct HuggingFaceVocabularyTests {
  private let directory: ScratchDirectory

  init() throws { directory = try ScratchDirectory() }

  /// The sentence of the error with other tokens, or merges, than the test vocabulary's; nil where there is none.
  private func refusal(_ change: (inout [String], inout [String]) -> Void) throws -> String? {
    var (tokens, merges) = (TestVocabulary.tokens, TestVocabulary.merges)
    change(&tokens, &merges)
    let path = try TestVocabulary.write(to: directory.path, tokens: tokens, merges: merges)
    return sentence { _ = try Tokenizer(path: path) }?.replacing(directory.path + "/", with: "")
  }

  private func refusal(vocabulary: String) throws -> String? {
    try TestVocabulary.write(to: directory.path)
    let path = try directory.write(Array(vocabulary.utf8), to: "vocab.json")
    return sentence { _ = try Tokenizer(path: path) }?.replacing(directory.path + "/", with: "")
  }

  @Test func tokensAreTheirBytes() throws {
    let tokenizer = try Tokenizer(path: try TestVocabulary.write(to: directory.path))
    #expect(tokenizer.vocabularySize == TestVocabulary.size)
    #expect(tokenizer.endOfText == TestVocabulary.endOfText)
    for (id, bytes) in TestVocabulary.bytes.enumerated() {
      #expect(tokenizer.bytes(of: Int32(id)) == bytes)
    }
  }

  @Test func mergesOutOfOrder() throws {
    #expect(try refusal { _, _ in } == nil)
    #expect(
      try refusal { $1.swapAt(0, 2) }
        == "merges.txt: line 2 should be made of bytes and results of earlier lines, but is 'he ll', the merge "
        + "before that of one of its parts.")
    #expect(
      try refusal { $1.append("h e") }
        == "merges.txt: line 23 should be a new merge, but is 'h e' a second time.")
  }

  @Test func mergesThatAreNone() throws {
    for line in ["he", "h  e", "h e l", " he", "", "h\te"] {
      #expect(
        try refusal { $1.insert(line, at: 1) }
          == "merges.txt: line 3 should be two tokens and a space between, but is "
          + "'\(line.replacing("\t", with: "\\t"))'.")
    }
    #expect(
      try refusal { $1.append("z z") }
        == "merges.txt: line 23 should be a merge of two tokens of the vocabulary into a third, but is 'z z'."
    )
    try TestVocabulary.write(to: directory.path)
    try FileManager.default.removeItem(atPath: directory.path + "/merges.txt")
    #expect(
      sentence { _ = try Tokenizer(path: directory.path + "/vocab.json") }
        == "Expected a file at \(directory.path)/merges.txt, found nothing.")
  }

  @Test func vocabulariesThatLackTokens() throws {
    #expect(
      try refusal { tokens, _ in tokens[65] = "AAA" } == "vocab.json: byte 65 should be a token, but is none."
    )
    #expect(
      try refusal { tokens, _ in tokens.removeLast() }
        == "vocab.json: <|endoftext|> or </s> should be a token, but is none.")
    #expect(
      try refusal { tokens, _ in tokens.append("hello") }
        == "vocab.json: the token 'hello' should be there once, but is there twice, as 259 and 278.")
    for (name, found) in [("", "empty"), (String(repeating: "x", count: 256), "256, 'xxx")] {
      let sentence = try #require(try refusal { tokens, _ in tokens.append(name) })
      #expect(sentence.hasPrefix("vocab.json: token 278 should be 1 to 255 bytes long, but is \(found)"))
    }
  }

  /// A file that was cut anywhere makes fewer tokens than there are.
  @Test func mergesThatAreMissing() throws {
    let whole = Array(TestVocabulary.text().utf8)
    let path = try TestVocabulary.write(to: directory.path)
    // The last line feed may be missing.
    for length in 0..<whole.count - 1 {
      try directory.write(Array(whole[..<length]), to: "merges.txt")
      #expect(throws: FormatError.self, "accepted with \(length) bytes") { try Tokenizer(path: path) }
    }
    for line in TestVocabulary.merges.indices {
      #expect(try refusal { $1.remove(at: line) } != nil, "accepted without line \(line)")
    }
    #expect(
      try refusal { $1.removeLast(2) }
        == "merges.txt: the merges should be those of vocab.json, one for each token but the bytes, special "
        + "ones such as <|endoftext|> and those of an added_tokens.json, but is without that of token 275, 'bc', and 1 more."
    )
    #expect(
      try refusal { tokens, _ in tokens.append("mask") }?.hasSuffix("is without that of token 278, 'mask'.")
        == true)
    // No merge could make it.
    #expect(try refusal { tokens, _ in tokens.append("<mask>") } == nil)
    #expect(try refusal { $1.append("<|endoftext| >") } != nil)
  }

  @Test func idsThatAreNone() throws {
    #expect(
      try refusal(vocabulary: #"{"a": 0, "b": 2}"#)
        == "vocab.json: the id of 'b' should be one of 0..<2, each for one token, but is 2.")
    #expect(
      try refusal(vocabulary: #"{"a": 0, "b": 0}"#)
        == "vocab.json: the id of 'b' should be one of 0..<2, each for one token, but is 0, that of another token."
    )
    #expect(
      try refusal(vocabulary: #"{"a": -1}"#)
        == "vocab.json: the id of 'a' should be one of 0..<1, each for one token, but is -1.")
    #expect(
      try refusal(vocabulary: #"{"a": 1.5}"#)
        == "vocab.json: the JSON at byte 6 should be a whole number of 64 bits, but is 1.5.")
    #expect(
      try refusal(vocabulary: #"{"a": "b"}"#)
        == "vocab.json: the file should be an llm.c tokenizer, a tokenizer.json, or a vocab.json with merges.txt beside "
        + "it, but is a JSON object of another kind, such as a model's config.json is.")
  }

  @Test func everyTruncation() throws {
    let whole = Array(TestVocabulary.json().utf8)
    for length in stride(from: 1, to: whole.count - 1, by: 7) {
      let text = String(decoding: whole[..<length], as: UTF8.self)
      #expect(try refusal(vocabulary: text) != nil, "accepted with \(length) bytes")
    }
  }

  @Test func textThatIsNoJSON() throws {
    for (text, problem) in [
      ("{", "at byte 1 should be a name in quotes, but is the end"),
      ("{\"a\"", "at byte 4 should be a colon, but is the end"),
      ("{\"a\":1", "at byte 6 should be a comma or '}', but is the end"),
      ("{\"a\":1} x", "at byte 8 should be the end, but is 'x'"),
      ("{\"a\":1,}", "at byte 7 should be a name in quotes, but is '}'"),
      ("{\"\\x\":1}", "at byte 3 should be one of \"\\/bfnrtu after a backslash, but is 'x'"),
      ("{\"\\ud83d\":1}", "at byte 3 should be a pair of surrogates, but is half of one"),
      ("{\"\\u12\":1}", "at byte 6 should be four hexadecimal digits, but is '\"'"),
      ("{\"a\n\":1}", "at byte 3 should be a character that is not a control character, but is byte 10"),
    ] {
      #expect(try refusal(vocabulary: text) == "vocab.json: the JSON \(problem).")
    }
  }
}
