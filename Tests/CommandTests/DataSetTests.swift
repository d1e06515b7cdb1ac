import Foundation
import TestSupport
import Testing

/// What `gpt2 tokenize` wrote is what `gpt2 train` and `gpt2 evaluate` find, all of it.
@Suite struct DataSetTests {
  /// A folder with the data set `x` in `data`.
  private struct Case {
    let folder: URL
    var data: URL { folder.appending(path: "data") }

    func train(_ more: String...) throws -> Run {
      try Executable.run(
        [
          "train", "--layers", "1", "--heads", "1", "--channels", "8", "--context", "8", "--vocabulary",
          "257",
          "--batch-size", "1", "--sequence-length", "8", "--steps", "2", "--sample-every", "0",
        ] + more, in: folder)
    }

    /// By a model that is trained on the data first.
    func evaluate(_ files: String...) throws -> Run {
      let model = folder.appending(path: "model.bin").path
      #expect(try train("--train-data", "data/x_train_000000.bin", "--output", model).exitCode == 0)
      defer { try? FileManager.default.removeItem(atPath: model) }
      return try Executable.run(["evaluate", "--checkpoint", model, "--json", "--data"] + files, in: folder)
    }
  }

  /// Of 401 tokens, 100 of them for validation unless told, in shards unless told.
  private func withData(_ options: [String] = ["--shard-tokens", "120"], body: (Case) throws -> Void) throws {
    try TemporaryDirectory.with { folder in
      try Data(String(repeating: "abcdefg\n", count: 50).utf8).write(to: folder.appending(path: "t.txt"))
      let validation = options.contains("--val-tokens") ? [] : ["--val-tokens", "100"]
      let run = try Executable.run(
        ["tokenize", "t.txt", "--output-directory", "data", "--name", "x", "--vocabulary", "bytes"]
          + validation
          + options, in: folder)
      #expect(run.exitCode == 0, "\(run.errors)")
      try body(Case(folder: folder))
    }
  }

  /// Cuts a file of llm.c's to `count` tokens, its header adjusted.
  private func cut(_ file: URL, to count: Int32) throws {
    var bytes = [UInt8](try Data(contentsOf: file))
    bytes.replaceSubrange(8..<12, with: FileBytes.littleEndian(count))
    try Data(bytes.prefix(1024 + 2 * Int(count))).write(to: file)
  }

  // MARK: - The manifest

  @Test func missingShardsAndOthers() throws {
    try withData { set in
      #expect(try set.train().exitCode == 0)
      let shard = set.data.appending(path: "x_train_000001.bin")
      let moved = set.data.appending(path: "kept")
      try FileManager.default.moveItem(at: shard, to: moved)
      expectRefusal(
        try set.train(),
        "data/x_manifest.json: x_train_000001.bin should be there, as one of the data set's 4 files, but is missing."
      )
      // Those given one by one are those that are wanted.
      #expect(try set.train("--train-data", "data/x_train_000000.bin").exitCode == 0)
      try FileManager.default.moveItem(at: moved, to: shard)
      try FileManager.default.copyItem(at: shard, to: set.data.appending(path: "x_train_000009.bin"))
      expectRefusal(
        try set.train(), "data/x_manifest.json: x_train_000009.bin should be one of the data set's 4 files")
    }
  }

  @Test func filesOfOtherCounts() throws {
    try withData { set in
      try cut(set.data.appending(path: "x_train_000002.bin"), to: 50)
      let sentence =
        "data/x_train_000002.bin: the number of tokens should be 61, as data/x_manifest.json says, but is 50."
      expectRefusal(try set.train(), sentence)
      expectRefusal(try set.train("--train-data", "data/x_train_000002.bin"), sentence)
      expectRefusal(try set.evaluate("data/x_val.bin", "data/x_train_000002.bin"), sentence)
      #expect(try set.evaluate("data/x_val.bin").exitCode == 0)
    }
    try withData([]) { set in
      try cut(set.data.appending(path: "x_train.bin"), to: 150)
      expectRefusal(try set.train(), "data/x_train.bin: the number of tokens should be 301", "but is 150.")
    }
  }

  /// Older manifests tell the tokens of all files together.
  @Test func manifestsWithoutTheTokensOfEachFile() throws {
    try withData { set in
      let url = set.data.appending(path: "x_manifest.json")
      let text = try String(contentsOf: url, encoding: .utf8)
      try Data(text.replacing(/,"file_tokens":\[[0-9,]*\]/, with: "").utf8).write(to: url)
      #expect(try set.train().exitCode == 0)
      try cut(set.data.appending(path: "x_train_000000.bin"), to: 60)
      expectRefusal(
        try set.train(), "data/x_train_000000.bin and 2 more: the number of tokens should be 301",
        "but is 241.")
      #expect(try set.train("--train-data", "data/x_train_000000.bin").exitCode == 0)
      try Data(text.replacing("[100]", with: "[100,1]").utf8).write(to: url)
      expectRefusal(try set.train(), "val's file_tokens should be one for each of 1 files, but is 2.")
    }
  }

  // MARK: - Short files and few batches

  /// The last shards have a token or few.
  @Test func whatTokenizeWritesIsTrainedOn() throws {
    try withData(["--shard-tokens", "100", "--val-tokens", "101"]) { set in
      let run = try set.train("--val-every", "1", "--val-batches", "99")
      #expect(run.exitCode == 0, "\(run.errors)")
      #expect(run.output.contains("data/x_val_000001.bin: shorter than a batch"), "\(run.output)")
      #expect(run.output.contains("all 12 batches, of 99 asked for"), "\(run.output)")
      // Around the end, where the short file is, and through the data again.
      let around = try set.train(
        "--train-data", "data/x_val_000000.bin", "data/x_val_000001.bin", "--steps", "30")
      #expect(around.exitCode == 0 && around.output.contains("\n30 steps"), "\(around.errors)")
      expectRefusal(
        try set.train("--train-data", "data/x_val_000001.bin"), "at least 9 tokens", "the file has 1")
      expectRefusal(
        try set.train("--batch-size", "20"), "data/x_train_000000.bin and 2 more", "at least 161 tokens",
        "the longest has 100")
      let evaluation = try set.evaluate("data/x_val_000000.bin", "data/x_val_000001.bin")
      #expect(evaluation.output.contains("\"tokens\":99"), "\(evaluation)")
      expectRefusal(try set.evaluate("data/x_val_000001.bin"), "at least 2 tokens", "has 1")
    }
  }

  @Test func withoutValidation() throws {
    try withData(["--val-tokens", "0"]) { set in
      let run = try set.train()
      #expect(run.exitCode == 0, "\(run.errors)")
      #expect(run.lines.contains { $0.hasPrefix("validation") && $0.hasSuffix("none") }, "\(run.output)")
    }
    try withData { set in
      try FileManager.default.removeItem(at: set.data.appending(path: "x_val.bin"))
      expectRefusal(try set.train(), "x_val.bin should be there")
    }
  }

  /// Once through the data, and not again.
  @Test func validationEndsWithTheData() throws {
    try withData { set in
      func losses(_ batches: String) throws -> [Substring] {
        let run = try set.train("--val-every", "1", "--val-batches", batches)
        #expect(run.exitCode == 0, "\(run.errors)")
        return run.lines.filter { $0.contains("val loss") }
      }
      // 99 tokens with one behind them: twelve batches of eight.
      let all = try losses("12")
      #expect(all.count == 3)
      for batches in ["13", "24", "1000000000"] { #expect(try losses(batches) == all) }
      #expect(try losses("11") != all)
      #expect(try set.train("--val-batches", "5").output.contains("the first 5 of 12 batches"))
    }
  }
}
