import Foundation
import TestSupport
import Testing

/// What `gpt2 inspect` says of data sets, logs and what is none of them.
@Suite struct InspectDataTests {
  /// Runs `body` in a folder with the data set `x` in `data`, in three shards to train on.
  private func withData(_ body: (URL) throws -> Void) throws {
    try TemporaryDirectory.with { folder in
      try HuggingFaceFiles.write(String(repeating: "abcdefg\n", count: 50), to: "t.txt", in: folder)
      let run = try Executable.run(
        [
          "tokenize", "t.txt", "--output-directory", "data", "--name", "x", "--vocabulary", "bytes",
          "--val-tokens", "100", "--shard-tokens", "120",
        ], in: folder)
      #expect(run.exitCode == 0, "\(run.errors)")
      try body(folder)
    }
  }

  private func inspect(_ path: String, _ more: String..., in folder: URL) throws -> Run {
    try Executable.run(["inspect", path] + more, in: folder)
  }

  @Test func dataAreComparedWithTheirManifest() throws {
    try withData { folder in
      let paths = ["data", "data/x_manifest.json", "data/x_train_000001.bin"]
      for path in paths {
        let run = try inspect(path, in: folder)
        #expect(run.output.contains("compared    manifest and files agree\n"), "\(run)")
      }
      let manifest = try inspect("data/x_manifest.json", in: folder).output
      #expect(
        manifest.contains("training    301 tokens in 3 files, x_train_000000.bin to x_train_000002.bin"))
      let shard = folder.appending(path: "data/x_train_000001.bin")
      var bytes = [UInt8](try Data(contentsOf: shard))
      bytes.replaceSubrange(8..<12, with: FileBytes.littleEndian(Int32(50)))
      try Data(bytes.prefix(1024 + 100)).write(to: shard)
      for path in paths {
        let run = try inspect(path, in: folder)
        #expect(
          run.exitCode == 0 && run.output.contains("should be 120, as data/x_manifest.json says, but is 50"))
      }
      try FileManager.default.removeItem(at: shard)
      for path in paths.prefix(2) {
        let run = try inspect(path, in: folder)
        #expect(run.output.contains("x_train_000001.bin should be there"), "\(run)")
      }
    }
  }

  /// The others of a folder are shown, and what is wrong with that one.
  @Test func oneSetThatCannotBeOpenedHidesNoOther() throws {
    try withData { folder in
      let long = NumpyBytes.littleEndian(try ReferenceCase.tiny.tokens().map { Int64($0) })
      for part in ["train", "val"] {
        try HuggingFaceFiles.write(long, to: "a_\(part).bin", in: folder.appending(path: "data"))
      }
      let run = try inspect("data", in: folder)
      #expect(run.exitCode == 0, "\(run.errors)")
      #expect(
        run.output.contains(
          "data set    a\nproblem     data/a_train.bin: the type of the token ids should be given")
          && run.output.contains("data set    x\ntraining    301 in 3 files\n"), "\(run.output)")
    }
  }

  /// Of many ids some are looked at.
  @Test func sixtyGigabytesOfNothing() throws {
    try TemporaryDirectory.with { folder in
      for name in ["zeros.bin", "log.jsonl"] {
        try HuggingFaceFiles.write(
          name == "log.jsonl" ? #"{"event":"start","model":""# : "", to: name, in: folder)
        try FileHandle(forWritingTo: folder.appending(path: name)).truncate(atOffset: 60_000_000_000)
      }
      let run = try inspect("zeros.bin", in: folder)
      #expect(run.output.contains("tokens      15000000000\n"), "\(run)")
      #expect(run.output.contains("ids         0 to 0, of 16777216 of them that were looked at\n"), "\(run)")
      expectRefusal(
        try inspect("log.jsonl", in: folder), "log.jsonl: line 1 should be at most 67108864 bytes long")
      // The last number is among them.
      let file = try FileHandle(forWritingTo: folder.appending(path: "zeros.bin"))
      try file.seek(toOffset: 59_999_999_996)
      try file.write(contentsOf: [7, 0, 0, 0])
      #expect(try inspect("zeros.bin", in: folder).output.contains("0 to 7, of"))
    }
  }

  @Test func textsOfALogAreCut() throws {
    try TemporaryDirectory.with { folder in
      let long = String(repeating: "x", count: 5_000_000)
      try HuggingFaceFiles.write(
        #"{"event":"start","model":"\#(long)"}"# + "\n" + #"{"event":"end","error":"\#(long)"}"# + "\n",
        to: "log.jsonl", in: folder)
      let run = try inspect("log.jsonl", in: folder)
      #expect(run.output.contains("model       xxxx") && run.output.utf8.count < 1000, "\(run.output.count)")
    }
  }

  /// Objects of numbers that are neither a vocabulary nor a log.
  @Test func otherJSON() throws {
    try TemporaryDirectory.with { folder in
      for text in [#"{"epoch":1}"#, #"{"epoch":1,"loss":2.5}"# + "\n" + #"{"epoch":2}"#, "{}"] {
        try HuggingFaceFiles.write(text, to: "x.json", in: folder)
        let run = try inspect("x.json", in: folder)
        #expect(run.exitCode == 0 && run.output.contains("kind        a JSON object\n"), "\(run)")
      }
      // A vocabulary whose merges are missing is one.
      try HuggingFaceFiles.write(TestVocabulary.json(), to: "vocab.json", in: folder)
      expectRefusal(try inspect("vocab.json", in: folder), "merges.txt, found nothing")
    }
  }
}
