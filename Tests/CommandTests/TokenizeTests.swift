import Foundation
import GPT2
import Synchronization
import TestSupport
import Testing
import Tokens

@Suite struct TokenizeTests {
  /// Runs `gpt2 tokenize` on files of these contents; gives `body` the run and the folder.
  private func tokenize(
    _ files: [String: String], _ arguments: [String], _ body: (Run, URL) throws -> Void
  ) throws {
    try TemporaryDirectory.with { folder in
      for (name, content) in files { try write(Array(content.utf8), to: name, in: folder) }
      try body(try Executable.run(["tokenize"] + arguments, in: folder), folder)
    }
  }

  private func write(_ bytes: [UInt8], to name: String, in folder: URL) throws {
    let url = folder.appending(path: name)
    try FileManager.default.createDirectory(
      at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
    try Data(bytes).write(to: url)
  }

  private static let out = ["--output-directory", "out", "--name", "x"]
  private static let bytesOut = out + ["--vocabulary", "bytes"]

  private func tokens(_ name: String, _ folder: URL) throws -> [Int32] {
    let file = try TokenFile(path: folder.appending(path: "out/" + name).path)
    return file.tokens(in: 0..<file.count)
  }

  private func names(_ folder: URL) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: folder.appending(path: "out").path).sorted()
  }

  private static func bytes(_ documents: String...) -> [Int32] {
    documents.flatMap { [256] + $0.utf8.map { Int32($0) } }
  }

  // MARK: - What is read

  @Test func filesFoldersAndLinesInOrder() throws {
    let files = [
      "b.txt": "bb", "in/2.txt": "two", "in/10.txt": "ten", "in/a/3.jsonl": #"{"text": "three"}"#,
      "in/.hidden.txt": "no",
      "in/.git/4.txt": "no", "in/5.bin": "no", "empty.txt": "",
      "lines.jsonl":
        "{\"id\": 1, \"text\": \"a\\n\\u00e9\\ud83d\\ude00\"}\n\n{\"text\":\"\"}\r\n{\"text\":\"z\\ud83d\",\"more\":[{}]}",
    ]
    let arguments = ["b.txt", "empty.txt", "in", "lines.jsonl"] + Self.bytesOut + ["--val-tokens", "4"]
    try tokenize(files, arguments) { (run, folder) throws in
      #expect(run.exitCode == 0 && run.errors.isEmpty, "\(run.errors)")
      let all = Self.bytes("bb", "ten", "two", "three", "a\né😀", "z\u{FFFD}")
      #expect(try tokens("x_val.bin", folder) == Array(all[..<4]))
      #expect(try tokens("x_train.bin", folder) == Array(all[4...]))
      #expect(try names(folder) == ["x_manifest.json", "x_train.bin", "x_val.bin"])
      #expect(run.output.contains("6 documents"), "\(run.output)")
    }
  }

  @Test func blankLinesSplitTextAndStayWithWhatIsBeforeThem() throws {
    let text = "a\n\nb\n\n\nc\n\n\n\n"
    let arguments = ["t.txt"] + Self.bytesOut + ["--split-at", "blank-lines", "--val-fraction", "0"]
    try tokenize(["t.txt": text], arguments) { (run, folder) throws in
      #expect(run.exitCode == 0, "\(run.errors)")
      #expect(try tokens("x_train.bin", folder) == Self.bytes("a\n\n", "b\n\n", "\nc\n\n", "\n\n"))
      #expect(try names(folder) == ["x_manifest.json", "x_train.bin"])
    }
  }

  /// Bytes that are no UTF-8 come through a vocabulary of bytes as they were, and are counted.
  @Test func bytesThatAreNoUTF8() throws {
    try TemporaryDirectory.with { folder in
      try write([0x61, 0xFF, 0x62, 0xC3], to: "t.txt", in: folder)
      func run(_ arguments: String...) throws -> Run {
        try Executable.run(["tokenize", "t.txt"] + Self.out + arguments, in: folder)
      }
      let refused = try run("--vocabulary", "characters")
      expectRefusal(refused, "t.txt", "UTF-8", "byte 255 at byte 1")
      let accepted = try run("--vocabulary", "bytes", "--val-fraction", "0")
      #expect(
        accepted.exitCode == 0 && accepted.output.contains("2 bytes, encoded as they are"), "\(accepted)")
      #expect(try tokens("x_train.bin", folder) == [256, 0x61, 0xFF, 0x62, 0xC3])
    }
  }

  @Test func charactersOfTheText() throws {
    let files = ["a.txt": "héh", "b.txt": "o\n"]
    let arguments = ["a.txt", "b.txt"] + Self.out + ["--vocabulary", "characters", "--val-fraction", "0"]
    try tokenize(files, arguments) { (run, folder) throws in
      #expect(run.exitCode == 0, "\(run.errors)")
      // \n h o é
      #expect(try tokens("x_train.bin", folder) == [1, 3, 1, 0, 2, 0])
      let manifest = try DataManifest(path: folder.appending(path: "out/x_manifest.json").path)
      #expect(manifest.vocabularySize == 4 && manifest.kind == .characters)
      #expect(try manifest.tokenizer().decode([0, 1, 2, 3]) == "\nhoé")
    }
  }

  @Test func validationIsAFractionOfTheBytes() throws {
    let files = ["a.txt": String(repeating: "a", count: 600), "b.txt": String(repeating: "b", count: 400)]
    for (fraction, expected) in [("0.1", 100), ("0.6", 601), ("0.8", 801)] {
      try tokenize(files, ["a.txt", "b.txt"] + Self.bytesOut + ["--val-fraction", fraction]) {
        (run, folder) throws in
        #expect(run.exitCode == 0, "\(run.errors)")
        let (validation, training) = (try tokens("x_val.bin", folder), try tokens("x_train.bin", folder))
        // Each document has one token more than bytes, and the one that is cut is cut by its share of them.
        #expect(abs(validation.count - expected) <= 1, "\(fraction): \(validation.count)")
        #expect(validation + training == Self.bytes(files["a.txt"]!, files["b.txt"]!))
      }
    }
  }

  /// The last tokens, or what comes behind a place in the text, which is cut there.
  @Test func validationFromTheEnd() throws {
    let files = [
      "a.txt": String(repeating: "a", count: 600), "b.txt": String(repeating: "é\n\n", count: 100),
    ]
    let all = Self.bytes(files["a.txt"]!, files["b.txt"]!)
    // 1,000 bytes; the first document has one token more than bytes, the second, which begins at byte 600, too. A cut is
    // moved before a character or line feeds that it would part: in [0xC3, 0xA9, 0x0A, 0x0A] from its 2nd and 4th byte.
    for (options, validation) in [
      (["--val-fraction", "0.5"], 501), (["--val-fraction", "0.1"], 100), (["--val-fraction", "0.099"], 100),
      (["--val-fraction", "0.098"], 98), (["--val-fraction", "0.097"], 98), (["--val-fraction", "0"], 0),
      (["--val-tokens", "7"], 7), (["--val-tokens", "400"], 400), (["--val-tokens", "1001"], 1001),
      (["--val-tokens", "0"], 0),
    ] {
      try tokenize(files, ["a.txt", "b.txt"] + Self.bytesOut + options + ["--val-from", "end"]) {
        (run, folder) throws in
        #expect(run.exitCode == 0, "\(run.errors)")
        let found = validation == 0 ? [] : try tokens("x_val.bin", folder)
        #expect(found.count == validation, "\(options)")
        #expect(try tokens("x_train.bin", folder) + found == all, "\(options)")
      }
    }
    try tokenize(files, ["a.txt", "b.txt"] + Self.bytesOut + ["--val-tokens", "1002", "--val-from", "end"]) {
      (run, _) throws in
      expectRefusal(run, "more than the 1002 tokens that validation takes")
    }
  }

  /// Lines stay whole, whatever the place.
  @Test func validationFromTheEndOfLines() throws {
    let lines = (0..<10).map { "{\"text\": \"\($0)\"}\n" }.joined()
    for (fraction, count) in [("0.1", 1), ("0.11", 1), ("0.19", 1), ("0.2", 2), ("0.99", 9), ("0.5", 5)] {
      let arguments = ["l.jsonl"] + Self.bytesOut + ["--val-fraction", fraction, "--val-from", "end"]
      try tokenize(["l.jsonl": lines], arguments) { (run, folder) throws in
        #expect(run.exitCode == 0, "\(run.errors)")
        let all = (0..<10).flatMap { Self.bytes("\($0)") }
        #expect(try tokens("x_val.bin", folder) == all.suffix(2 * count), "\(fraction)")
        #expect(try tokens("x_train.bin", folder) == all.dropLast(2 * count), "\(fraction)")
      }
    }
  }

  /// The counts that nanoGPT's README tells of shakespeare_char and, but for the end of text before it, of shakespeare.
  @Test(.enabled(if: Fixtures.sharedURL("data") != nil), arguments: ["characters", "gpt2"])
  func validationIsNanoGPTs(vocabulary: String) throws {
    let data = try #require(Fixtures.sharedURL("data"))
    try TemporaryDirectory.with { folder in
      let tokenizer = vocabulary == "gpt2" ? ["--tokenizer", data.path + "/tokenizer/vocab.json"] : []
      let run = try Executable.run(
        ["tokenize", data.path + "/tiny_shakespeare.txt", "--vocabulary", vocabulary, "--val-from", "end"]
          + tokenizer + Self.out, in: folder)
      #expect(run.exitCode == 0, "\(run.errors)")
      let counts = vocabulary == "gpt2" ? (1 + 301_966, 36_059) : (1_003_854, 111_540)
      #expect(try tokens("x_train.bin", folder).count == counts.0)
      #expect(try tokens("x_val.bin", folder).count == counts.1)
    }
  }

  /// Ids that 16 bits do not hold.
  @Test func largeVocabulariesTake32Bits() throws {
    let scalars = (0x4E00..<0x9000).map { $0 } + (0x20000..<0x2C000).map { $0 }
    let text = String(String.UnicodeScalarView(scalars.compactMap { Unicode.Scalar($0) }))
    let arguments = ["t.txt"] + Self.out + ["--vocabulary", "characters", "--val-fraction", "0"]
    try tokenize(["t.txt": text], arguments) { (run, folder) throws in
      #expect(run.exitCode == 0, "\(run.errors)")
      // The line feed is the first and closes the text.
      let expected = (1...Int32(scalars.count)).map { $0 } + [0]
      let isSame = try tokens("x_train.bin", folder) == expected
      #expect(isSame)
      let shown = try Executable.run(["inspect", "out/x_train.bin"], in: folder)
      #expect(shown.output.contains("version 7, uint32"), "\(shown)")
    }
  }

  /// The file shrinks from before the run until after it.
  @Test(arguments: ["bytes", "characters", "gpt2"])
  func aFileThatShrinksMeanwhile(vocabulary: String) throws {
    try TemporaryDirectory.with { folder in
      let url = folder.appending(path: "t.txt")
      let count = 16 << 20
      try Data(String(repeating: "words\n", count: count / 6).utf8).write(to: url)
      try TestVocabulary.write(to: folder.path)
      let file = try FileHandle(forWritingTo: url)
      let size = count / 6 * 6
      let isDone = Mutex(false)
      let shrinking = Thread {
        var removed = 0
        while !isDone.withLock({ $0 }), removed < size {
          removed += 1
          try? file.truncate(atOffset: UInt64(size - removed))
          Thread.sleep(forTimeInterval: 0.0002)
        }
      }
      shrinking.start()
      let run = try Executable.run(["tokenize", "t.txt", "--vocabulary", vocabulary] + Self.out, in: folder)
      isDone.withLock { $0 = true }
      expectRefusal(run, "t.txt should stay as it is while it is read, but was changed meanwhile, from ")
      // With the vocabulary characters the first of two passes fails, before there is a folder.
      #expect(((try? names(folder)) ?? []) == [])
    }
  }

  // MARK: - What is written

  @Test func shardsAreNumberedAndFoundAgain() throws {
    let text = String(repeating: "abcdefg\n", count: 100)
    let arguments =
      ["t.txt"] + Self.bytesOut + ["--shard-tokens", "300", "--val-tokens", "400", "--threads", "3"]
    try tokenize(["t.txt": text], arguments) { (run, folder) throws in
      #expect(run.exitCode == 0, "\(run.errors)")
      let training = ["x_train_000000.bin", "x_train_000001.bin"]
      let validation = ["x_val_000000.bin", "x_val_000001.bin"]
      #expect(try names(folder) == ["x_manifest.json"] + training + validation)
      #expect(try (validation + training).flatMap { try tokens($0, folder) } == Self.bytes(text))
      #expect(try training.map { try tokens($0, folder).count } == [300, 101])
      let set = try DataSet.choose(
        "x", among: DataSet.discover(in: folder.appending(path: "out").path),
        in: folder.appending(path: "out").path)
      #expect(set.training.map { String($0.suffix(18)) } == training)
      #expect(set.validation.map { String($0.suffix(16)) } == validation)
    }
  }

  @Test func theSameTokensOnAnyNumberOfThreads() throws {
    // Several segments, whose ends fall anywhere.
    let words = (0..<200_000).map { "w\($0 * 7919 % 10007)" + ($0 % 13 == 0 ? "\n" : " ") }.joined()
    var first: [Int32]?
    for threads in ["1", "2", "5"] {
      let arguments = ["t.txt"] + Self.bytesOut + ["--val-fraction", "0", "--threads", threads]
      try tokenize(["t.txt": words], arguments) { (run, folder) throws in
        #expect(run.exitCode == 0, "\(run.errors)")
        let tokens = try tokens("x_train.bin", folder)
        first = first ?? tokens
        let isSame = tokens == first && tokens.count == words.utf8.count + 1
        #expect(isSame)
      }
    }
  }

  /// 16 MiB without white space are cut between two characters, wherever that is.
  @Test func charactersAreNeverCut() throws {
    let text = String(repeating: "a€", count: 5 << 20)
    let arguments = ["t.txt"] + Self.out + ["--vocabulary", "characters", "--val-tokens", "1"]
    try tokenize(["t.txt": text], arguments) { (run, folder) throws in
      #expect(run.exitCode == 0, "\(run.errors)")
      let tokens = try tokens("x_train.bin", folder)
      // \n a €: the line feed closes the document.
      let isRight =
        tokens.count == 10 << 20 && tokens.prefix(3) == [2, 1, 2] && tokens.suffix(3) == [1, 2, 0]
      #expect(isRight && run.output.contains("1 document,"), "\(run.output)")
    }
  }

  /// llm.c's names of shards.
  @Test func shardsOfOthersAreFound() throws {
    try TemporaryDirectory.with { folder in
      for name in ["web_val_000000", "web_train_000002", "web_train_000001", "web_train_x", "train_3", "_4"] {
        try write([0, 0, 0, 0], to: "\(name).bin", in: folder)
      }
      let set = try DataSet.discover(in: folder.path)
      #expect(set.map(\.name) == ["web"])
      #expect(set[0].training == [1, 2].map { folder.path + "/web_train_00000\($0).bin" })
      #expect(set[0].validation == [folder.path + "/web_val_000000.bin"])
    }
  }

  @Test func nothingIsOverwritten() throws {
    for name in ["x_train.bin", "x_val_000003.bin", "x_manifest.json"] {
      try tokenize(["t.txt": "text", "out/" + name: "mine"], ["t.txt"] + Self.bytesOut) {
        (run, folder) throws in
        expectRefusal(run, "out/" + name, "exists")
        #expect(try names(folder) == [name])
        #expect(try String(contentsOf: folder.appending(path: "out/" + name), encoding: .utf8) == "mine")
      }
    }
    // Another data set's name may begin alike.
    try tokenize(["t.txt": "text", "out/x_y_train.bin": "mine"], ["t.txt"] + Self.bytesOut) {
      (run, folder) throws in
      #expect(run.exitCode == 0, "\(run.errors)")
    }
  }

  @Test(.enabled(if: Fixtures.sharedURL("data") != nil), arguments: ["gpt2_tokenizer.bin", "vocab.json"])
  func tinyShakespeareByteForByte(vocabulary: String) throws {
    let data = try #require(Fixtures.sharedURL("data"))
    try TemporaryDirectory.with { folder in
      let run = try Executable.run(
        [
          "tokenize", data.path + "/tiny_shakespeare.txt", "--tokenizer",
          data.path + "/tokenizer/" + vocabulary,
        ]
          + Self.out + ["--split-at", "blank-lines", "--val-tokens", "32768"], in: folder)
      #expect(run.exitCode == 0, "\(run.errors)")
      for part in ["train", "val"] {
        let ours = try Data(contentsOf: folder.appending(path: "out/x_\(part).bin"))
        let isSame = ours == (try Data(contentsOf: data.appending(path: "tiny_shakespeare_\(part)_u16.bin")))
        #expect(isSame, "\(part)")
      }
      let copy = try Tokenizer(path: folder.appending(path: "out/x_tokenizer.bin").path)
      let tokenizer = try Tokenizer(path: data.path + "/tokenizer/gpt2_tokenizer.bin")
      #expect((0..<50257).allSatisfy { copy.bytes(of: $0) == tokenizer.bytes(of: $0) })
    }
  }
}
