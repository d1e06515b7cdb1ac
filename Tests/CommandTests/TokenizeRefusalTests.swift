import Foundation
import TestSupport
import Testing

/// Each bad input of `gpt2 tokenize`, and each manifest that `gpt2 train` cannot go by, is refused in a sentence.
@Suite struct TokenizeRefusalTests {
  private static let out = ["--output-directory", "out", "--name", "x"]

  /// Runs `gpt2` in a folder with files of these contents.
  private func run(_ files: [String: String], _ arguments: [String]) throws -> Run {
    try TemporaryDirectory.with { folder in
      for (name, content) in files {
        let url = folder.appending(path: name)
        try FileManager.default.createDirectory(
          at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(content.utf8).write(to: url)
      }
      let run = try Executable.run(arguments, in: folder)
      let left =
        (try? FileManager.default.contentsOfDirectory(atPath: folder.appending(path: "out").path)) ?? []
      #expect(left.isEmpty || run.exitCode == 0, "\(left)")
      return run
    }
  }

  private func tokenize(_ files: [String: String], _ arguments: String...) throws -> Run {
    try run(
      files,
      ["tokenize"] + files.keys.filter { !$0.contains("vocab") && !$0.contains("merges") }.sorted() + Self.out
        + arguments)
  }

  @Test func textThatCannotBeRead() throws {
    expectRefusal(
      try run([:], ["tokenize", "none.txt", "--vocabulary", "bytes"] + Self.out), "none.txt", "nothing")
    expectRefusal(
      try run([:], ["tokenize", ".", "--vocabulary", "bytes"] + Self.out), "folder", ".txt or .jsonl")
    expectRefusal(
      try run([:], ["tokenize", "/dev/null", "--vocabulary", "bytes"] + Self.out), "/dev/null", "regular")
    expectRefusal(try tokenize(["a.txt": ""], "--vocabulary", "bytes"), "a.txt", "0 tokens")
    expectRefusal(try tokenize(["a.txt": ""], "--vocabulary", "characters"), "a.txt", "0 tokens")
    expectRefusal(
      try tokenize(["a.txt": "text"], "--vocabulary", "bytes", "--val-tokens", "5"), "more than the 5 tokens",
      "5 tokens")
  }

  @Test func linesThatAreNoDocuments() throws {
    for (line, problem) in [
      ("{", "the end at byte 1 instead of a name in quotes."), ("[1]", "'[' at byte 0 instead of an object."),
      ("{\"txt\": \"a\"}", "an end without it at byte 12 instead of the member \"text\"."),
      ("{\"text\": 1}", "a string"),
      ("{\"text\": \"a\", \"text\": \"b\"}", "a second one"), ("{\"text\": \"a\"} b", "'b'"), ("text", "'t'"),
      ("{\"text\": \"a", "the end of the string"), ("{\"text\": null}", "'n'"),
    ] {
      let run = try tokenize(["a.jsonl": "{\"text\": \"good\"}\n\n" + line], "--vocabulary", "bytes")
      expectRefusal(run, "a.jsonl: line 3 should be an object with a string \"text\", but is none: ", problem)
    }
    let deep = String(repeating: "[", count: 100_000)
    expectRefusal(
      try tokenize(["a.jsonl": "{\"x\":" + deep], "--vocabulary", "bytes"), "line 1", "64 levels")
  }

  @Test func vocabularies() throws {
    let text = ["a.txt": "text"]
    expectRefusal(
      try tokenize(text), "found no gpt2_tokenizer.bin or tokenizer.json or vocab.json here", "--tokenizer")
    expectRefusal(try tokenize(text, "--tokenizer", "/none.bin"), "/none.bin", "nothing")
    expectRefusal(
      try tokenize(text, "--tokenizer", "a.txt"),
      "a.txt: the file should be an llm.c tokenizer, a tokenizer.json",
      "but is text: 'gpt2 tokenize' turns it into token ids.")
    let withMerges = text.merging(["merges.txt": TestVocabulary.text()]) { $1 }
    expectRefusal(
      try tokenize(withMerges, "--tokenizer", "merges.txt"),
      "is the merges of a vocabulary: vocab.json, which")
    func refused(
      _ merges: [String], _ fragment: String, _ more: String = "", tokens: [String] = TestVocabulary.tokens
    ) throws {
      let files = text.merging([
        "vocab.json": TestVocabulary.json(tokens), "merges.txt": TestVocabulary.text(merges),
      ]) { first, _ in first }
      let run = try tokenize(files)
      expectRefusal(run, fragment)
      #expect(more.isEmpty || run.errors.contains(more), "\(run.errors)")
    }
    try refused(
      ["he ll"] + TestVocabulary.merges, "merges.txt: line 2 should be made of bytes and results of earlier")
    try refused(["h e", "h e"], "merges.txt: line 3 should be a new merge")
    try refused(["h\u{1B}"], "merges.txt: line 2 should be two tokens")
    try refused([], "merges.txt: the merges should be those of vocab.json", "token 256, 'he', and 20 more")
    try refused(
      TestVocabulary.merges.dropLast(), "merges.txt: the merges should be those of vocab.json", "'abc'")
    let cut = text.merging([
      "vocab.json": TestVocabulary.json(), "merges.txt": String(TestVocabulary.text().prefix(40)),
    ]) { first, _ in first }
    expectRefusal(try tokenize(cut), "merges.txt")
    try refused(
      TestVocabulary.merges, "vocab.json: token 278 should be 1 to 255 bytes long, but is 300",
      tokens: TestVocabulary.tokens + [String(repeating: "a", count: 300)])
    try refused(["z z"], "merges.txt: line 2 should be a merge of two tokens of the vocabulary")
    try refused([], "vocab.json: <|endoftext|>", tokens: TestVocabulary.tokens.dropLast())
    try refused([], "vocab.json: byte 0 should be a token", tokens: Array(TestVocabulary.tokens.dropFirst()))
    expectRefusal(
      try tokenize(text.merging(["vocab.json": "{\"a\": 0"]) { first, _ in first }),
      "vocab.json: the JSON at byte 7")
    expectRefusal(
      try tokenize(text.merging(["vocab.json": TestVocabulary.json()]) { first, _ in first }), "merges.txt",
      "nothing")
    // Ids in another order than the merges would not survive in the format of llm.c.
    var tokens = TestVocabulary.tokens
    tokens.swapAt(256, 257)
    try refused(TestVocabulary.merges, "in the order of its merges", tokens: tokens)
    // Nor would a merge that the order of ids does not tell: of "aaaa" it would be "aa aa".
    tokens = TestVocabulary.tokens
    tokens.insert("aaa", at: 263)
    var merges = TestVocabulary.merges
    merges.replaceSubrange(7...7, with: ["aa a", "aaa a"])
    try refused(merges, "in the order of its merges", tokens: tokens)
  }

  /// llm.c's file, without some tokens that others are made of.
  @Test func vocabulariesWithoutMerges() throws {
    try TemporaryDirectory.with { folder in
      try Data("text".utf8).write(to: folder.appending(path: "a.txt"))
      func refused(_ tokens: [[UInt8]], _ fragment: String) throws {
        var file = FileBytes(header: [20_240_328, 2, Int32(tokens.count), Int32(tokens.count - 1)]).bytes
        for token in tokens { file += [UInt8(token.count)] + token }
        try Data(file).write(to: folder.appending(path: "t.bin"))
        expectRefusal(
          try Executable.run(["tokenize", "a.txt", "--tokenizer", "t.bin"] + Self.out, in: folder),
          "t.bin: " + fragment)
      }
      let tokens = TestVocabulary.bytes
      try refused(tokens.filter { $0 != Array("hell".utf8) }, "token 258, 'hello', should be what two")
      try refused(tokens + [tokens[300 - 40]], "the token 'Ġt' should be there once")
      try refused(Array(tokens[1...]), "byte 0 should be a token")
    }
  }

  @Test(.enabled(if: Fixtures.sharedURL("data") != nil))
  func theFirstMergesOfGPT2AreNotAll() throws {
    let data = try #require(Fixtures.sharedURL("data/tokenizer"))
    try TemporaryDirectory.with { folder in
      try FileManager.default.copyItem(
        at: data.appending(path: "vocab.json"), to: folder.appending(path: "vocab.json"))
      try Data("Hello world".utf8).write(to: folder.appending(path: "a.txt"))
      let merges = try Data(contentsOf: data.appending(path: "merges.txt"))
      for length in [0, 4096, 300_000] {
        try merges.prefix(length).write(to: folder.appending(path: "merges.txt"))
        expectRefusal(try Executable.run(["tokenize", "a.txt"] + Self.out, in: folder), "merges.txt")
      }
    }
  }

  @Test func usage() throws {
    for (arguments, fragment) in [
      (["--val-fraction", "1"], "below 1"), (["--val-fraction", "-0.1"], "at least 0"),
      (["--val-fraction", "nan"], "below 1"), (["--val-tokens", "-1"], "at least 0"),
      (["--val-fraction", "0.1", "--val-tokens", "1"], "found both"),
      (["--shard-tokens", "0"], "--shard-tokens"),
      (["--shard-tokens", "2147483648"], "--shard-tokens"), (["--threads", "0"], "--threads"),
      (["--vocabulary", "words"], "words"), (["--split-at", "lines"], "blank-lines"),
      (["--vocabulary", "bytes", "--tokenizer", "t"], "--tokenizer"),
    ] {
      expectRefusal(try run([:], ["tokenize", "a.txt"] + Self.out + arguments), exitCode: 64, fragment)
    }
    for name in ["", "a/b", ".a"] {
      let arguments = ["tokenize", "a.txt", "--output-directory", "out", "--name", name]
      expectRefusal(try run([:], arguments), exitCode: 64, "--name")
    }
    expectRefusal(try run([:], ["tokenize", "a.txt", "--name", "x"]), exitCode: 64, "--output-directory")
    expectRefusal(try run([:], ["tokenize"] + Self.out), exitCode: 64, "<file>")
    expectRefusal(
      try run(
        ["file": "", "a.txt": "a"],
        ["tokenize", "a.txt", "--vocabulary", "bytes", "--output-directory", "file/x", "--name", "x"]),
      "file/x")
  }
}
