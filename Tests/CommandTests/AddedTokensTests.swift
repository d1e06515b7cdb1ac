import Foundation
import TestSupport
import Testing
import Tokens

/// Vocabularies with tokens that no merge makes: they are decoded, and never looked for in text.
@Suite struct AddedTokensTests {
  private static let text = "hello the world, <|pad|> hello in the air\nabc aaaa é"

  /// Writes vocab.json, merges.txt and, of these members, added_tokens.json or tokenizer.json; returns what
  /// `--tokenizer` is given.
  private func write(
    _ tokens: [String], merges: [String] = TestVocabulary.merges, added: [String: Int] = [:],
    asOneFile: Bool = false, in directory: URL
  ) throws -> String {
    try HuggingFaceFiles.write(Self.text, to: "text.txt", in: directory)
    if asOneFile {
      let vocabulary = Dictionary(uniqueKeysWithValues: tokens.enumerated().map { ($1, $0) })
      let json: [String: Any] = [
        "normalizer": NSNull(), "added_tokens": added.map { ["content": $0.key, "id": $0.value] },
        "pre_tokenizer": ["type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true],
        "model": ["type": "BPE", "vocab": vocabulary, "merges": merges] as [String: Any],
      ]
      try JSONSerialization.data(withJSONObject: json).write(to: directory.appending(path: "tokenizer.json"))
      return "tokenizer.json"
    }
    try TestVocabulary.write(to: directory.path, tokens: tokens, merges: merges)
    if !added.isEmpty {
      try JSONSerialization.data(withJSONObject: added)
        .write(to: directory.appending(path: "added_tokens.json"))
    }
    return "vocab.json"
  }

  private func tokenize(_ tokenizer: String, in directory: URL) throws -> Run {
    try Executable.run(
      [
        "tokenize", "text.txt", "--tokenizer", tokenizer, "--output-directory", "data", "--name", "x",
        "--val-tokens", "2",
      ], in: directory)
  }

  /// The ids of the text, the first two of them left out, by a vocabulary without more tokens.
  private func plainIDs() throws -> [Int32] {
    try TemporaryDirectory.with { directory in
      let run = try tokenize(try write(TestVocabulary.tokens, in: directory), in: directory)
      #expect(run.exitCode == 0, "\(run.errors)")
      return try ids(in: directory)
    }
  }

  private func ids(in directory: URL) throws -> [Int32] {
    let file = try TokenFile(path: directory.appending(path: "data/x_train.bin").path)
    return file.tokens(in: 0..<file.count)
  }

  private static let size = TestVocabulary.size
  private static let extended = TestVocabulary.tokens + ["<|pad|>", "[SEP]"]

  @Test(arguments: ["among the others", "in added_tokens.json", "in tokenizer.json", "beside tokenizer.json"])
  func thoseThatFollow(place: String) throws {
    let expected = try plainIDs()
    try TemporaryDirectory.with { directory in
      let added = ["<|pad|>": Self.size, "[SEP]": Self.size + 1]
      let given =
        switch place {
        case "among the others": try write(Self.extended, in: directory)
        case "in added_tokens.json": try write(TestVocabulary.tokens, added: added, in: directory)
        case "in tokenizer.json": try write(Self.extended, added: added, asOneFile: true, in: directory)
        default: try write(TestVocabulary.tokens, added: added, asOneFile: true, in: directory)
        }
      let run = try tokenize(given, in: directory)
      #expect(run.exitCode == 0, "\(run.errors)")
      #expect(try ids(in: directory) == expected)
      let manifest = try DataManifest(path: directory.appending(path: "data/x_manifest.json").path)
      #expect(manifest.vocabularySize == Self.size + 2 && manifest.endOfText == Int(TestVocabulary.endOfText))
      // As the file beside the data has it.
      let tokenizer = try manifest.tokenizer()
      #expect(tokenizer.decode([Int32(Self.size), 259, Int32(Self.size + 1)]) == "<|pad|>hello[SEP]")
      #expect(try TextEncoder(tokenizer).encode("hello the world") == [259, 261, 271])
      let trained = try Executable.run(
        [
          "train", "--train-data", "data/x_train.bin", "--vocabulary", "\(Self.size + 2)", "--layers", "1",
          "--heads", "1",
          "--channels", "8", "--context", "8", "--batch-size", "1", "--sequence-length", "8", "--steps", "1",
        ], in: directory)
      #expect(trained.exitCode == 0 && trained.output.contains("gpt2, as data/x_manifest.json"), "\(trained)")
    }
  }

  /// They are spelt as text and not as bytes are.
  @Test func spellings() throws {
    try TemporaryDirectory.with { directory in
      let given = try write(
        TestVocabulary.tokens, added: ["<é>": Self.size], asOneFile: true, in: directory)
      let tokenizer = try Tokenizer(path: directory.appending(path: given).path)
      #expect(tokenizer.decode([Int32(Self.size)]) == "<é>")
    }
  }

  private static let specials = ["<s>", "<pad>", "</s>", "<unk>"]

  @Test(arguments: [false, true]) func thoseOfRoBERTa(asOneFile: Bool) throws {
    let expected = try plainIDs()
    try TemporaryDirectory.with { directory in
      let tokens = Self.specials + TestVocabulary.tokens.dropLast() + ["<mask>"]
      let added =
        asOneFile ? Dictionary(uniqueKeysWithValues: Self.specials.enumerated().map { ($1, $0) }) : [:]
      let run = try tokenize(
        try write(tokens, added: added, asOneFile: asOneFile, in: directory), in: directory)
      #expect(run.exitCode == 0, "\(run.errors)")
      #expect(try ids(in: directory) == expected.map { $0 + 4 })
      let manifest = try DataManifest(path: directory.appending(path: "data/x_manifest.json").path)
      #expect(manifest.vocabularySize == Self.size + 4 && manifest.endOfText == 2)
      let tokenizer = try manifest.tokenizer()
      #expect(tokenizer.separatesTexts)
      #expect(tokenizer.decode([0, 263, Int32(Self.size + 3), 2]) == "<s>hello<mask></s>")
    }
  }

  @Test func thoseThatAreRefused() throws {
    func refused(_ fragments: String..., of body: (URL) throws -> String) throws {
      try TemporaryDirectory.with { directory in
        let run = try tokenize(try body(directory), in: directory)
        for fragment in fragments { expectRefusal(run, fragment) }
      }
    }
    // A word may be what a merge that is missing makes.
    try refused(
      "merges.txt: the merges should be those of vocab.json", "without that of token 278, 'PAD'",
      "those of an added_tokens.json"
    ) { try write(TestVocabulary.tokens + ["PAD"], in: $0) }
    // It is known, but not in the file that the data keep.
    try refused("with no token beside them that could be one's result", "llm.c's format") {
      try write(TestVocabulary.tokens, added: ["PAD": Self.size], in: $0)
    }
    try refused("the id of 'PAD' should be one of 0..<279", "but is 5, that of another token") {
      try write(TestVocabulary.tokens, added: ["PAD": 5], in: $0)
    }
    try refused("the id of '<|pad|>' should be one of 0..<279", "but is 400") {
      try write(TestVocabulary.tokens, added: ["<|pad|>": 400], asOneFile: true, in: $0)
    }
    try refused("vocab.json: <|endoftext|> or </s> should be a token, but is none") {
      try write(TestVocabulary.tokens.dropLast() + ["<s>"], in: $0)
    }
    // Which ids of many follow merges is not to be guessed: the merges were cut.
    try refused("merges.txt: the merges should be those of vocab.json", "'abc'") {
      try write(Self.extended, merges: TestVocabulary.merges.dropLast(), in: $0)
    }
  }
}
