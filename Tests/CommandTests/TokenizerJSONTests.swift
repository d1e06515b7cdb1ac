import Foundation
import TestSupport
import Testing

/// Hugging Face's tokenizer.json gives the ids of vocab.json and merges.txt, or is refused by the field's name.
@Suite struct TokenizerJSONTests {
  /// - Parameter merges: as the file has them.
  private func text(_ merges: [Any], _ change: (inout [String: Any]) -> Void = { _ in }) throws -> String {
    var vocabulary: [String: Int] = [:]
    for (id, token) in TestVocabulary.tokens.enumerated() { vocabulary[token] = id }
    var json: [String: Any] = [
      "version": "1.0", "normalizer": NSNull(),
      "added_tokens": [["id": Int(TestVocabulary.endOfText), "content": "<|endoftext|>", "special": true]],
      "pre_tokenizer": ["type": "ByteLevel", "add_prefix_space": false, "use_regex": true],
      "model": ["type": "BPE", "dropout": NSNull(), "vocab": vocabulary, "merges": merges] as [String: Any],
    ]
    change(&json)
    return String(decoding: try JSONSerialization.data(withJSONObject: json), as: UTF8.self)
  }

  private func tokenize(_ tokenizer: String, in directory: URL) throws -> (ids: Data?, run: Run) {
    try HuggingFaceFiles.write("hello the world, hello in the air\nabc aaaa é", to: "text.txt", in: directory)
    let run = try Executable.run(
      [
        "tokenize", "text.txt", "--tokenizer", tokenizer, "--output-directory", tokenizer + ".out", "--name",
        "x",
        "--val-tokens", "2",
      ], in: directory)
    return (try? Data(contentsOf: directory.appending(path: "\(tokenizer).out/x_train.bin")), run)
  }

  @Test func idsAreThoseOfTheVocabulary() throws {
    try TemporaryDirectory.with { directory in
      try TestVocabulary.write(to: directory.path)
      let expected = try tokenize("vocab.json", in: directory)
      let pairs = TestVocabulary.merges.map { $0.split(separator: " ").map(String.init) }
      for (name, merges) in [("texts.json", TestVocabulary.merges as [Any]), ("pairs.json", pairs)] {
        try HuggingFaceFiles.write(try text(merges), to: name, in: directory)
        let found = try tokenize(name, in: directory)
        #expect(found.ids != nil && found.ids == expected.ids, "\(found.run.errors)")
      }
    }
  }

  @Test func otherTokenizersAreRefusedByName() throws {
    let changes: [(String, String, (inout [String: Any]) -> Void)] = [
      ("type of model", "BPE", { $0["model"] = ["type": "Unigram"] }),
      (
        "add_prefix_space of pre_tokenizer", "true",
        { $0["pre_tokenizer"] = ["type": "ByteLevel", "add_prefix_space": true] }
      ),
      (
        "type of pre_tokenizer", "Sequence",
        { $0["pre_tokenizer"] = ["type": "Sequence", "pretokenizers": []] }
      ),
      ("type of normalizer", "NFC", { $0["normalizer"] = ["type": "NFC"] }),
      ("pre_tokenizer", "none", { $0["pre_tokenizer"] = NSNull() }),
    ]
    for (field, found, change) in changes {
      try TemporaryDirectory.with { directory in
        try HuggingFaceFiles.write(try text(TestVocabulary.merges, change), to: "t.json", in: directory)
        expectRefusal(try tokenize("t.json", in: directory).run, "t.json: \(field)", found)
      }
    }
    try TemporaryDirectory.with { directory in
      try HuggingFaceFiles.write(
        try text(Array(TestVocabulary.merges.dropLast())), to: "t.json", in: directory)
      expectRefusal(try tokenize("t.json", in: directory).run, "t.json: the merges", "without that of token")
    }
  }

  /// A model's own tokenizer decodes what it generates.
  @Test func aDirectorysOwn() throws {
    try TemporaryDirectory.with { directory in
      let sizes = ["--layers", "1", "--heads", "1", "--channels", "8", "--context", "8"]
      try HuggingFaceFiles.write((0..<40).flatMap { _ in bytes(7) }, to: "t.bin", in: directory)
      let trained = try Executable.run(
        [
          "train", "--vocabulary", "\(TestVocabulary.size)", "--train-data", "t.bin", "--batch-size", "1",
          "--sequence-length", "4", "--steps", "1", "--output", "hf",
        ] + sizes, in: directory)
      #expect(trained.exitCode == 0, "\(trained.errors)")
      try HuggingFaceFiles.write(
        try text(TestVocabulary.merges), to: "tokenizer.json", in: directory.appending(path: "hf"))
      let run = try Executable.run(
        ["generate", "--checkpoint", "hf", "--prompt", "hello the", "--length", "4", "--json"], in: directory)
      #expect(run.exitCode == 0 && run.output.contains("\"text\":\"hello the"), "\(run.errors)\(run.output)")
    }
  }
}
