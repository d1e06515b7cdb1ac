import Foundation
import GPT2
import TestSupport
import Testing
import Tokens

/// `gpt2 train` on what `gpt2 tokenize` wrote.
@Suite struct ManifestTests {
  private static let sizes = ["--layers", "1", "--heads", "1", "--channels", "8", "--context", "8"]
  private static let train =
    [
      "train", "--batch-size", "1", "--sequence-length", "8", "--sample-length", "8", "--steps", "2",
      "--sample-every", "1", "--val-batches", "1",
    ]

  /// A folder with the data set `x`, of a text that has eight characters.
  private func withData(_ vocabulary: String, _ body: (URL) throws -> Void) throws {
    try TemporaryDirectory.with { folder in
      let text = String(repeating: "banana boats\n", count: 40)
      try Data(text.utf8).write(to: folder.appending(path: "text.txt"))
      try TestVocabulary.write(to: folder.path)
      let run = try Executable.run(
        [
          "tokenize", "text.txt", "--output-directory", "data", "--name", "x", "--vocabulary", vocabulary,
          "--val-fraction", "0.3",
        ], in: folder)
      #expect(run.exitCode == 0, "\(run.errors)")
      try body(folder)
    }
  }

  /// The samples' text and the tokens they are made of.
  private func samples(_ arguments: [String], in folder: URL) throws -> [LogLine] {
    let log = folder.appending(path: "\(UUID().uuidString).jsonl")
    let run = try Executable.run(Self.train + Self.sizes + arguments + ["--log", log.path], in: folder)
    #expect(run.exitCode == 0, "\(run.errors)")
    return try TrainCase.log(log).filter { $0.event == "sample" }
  }

  @Test(arguments: [("bytes", 257), ("characters", 8), ("gpt2", TestVocabulary.size)])
  func samplesAreDecodedWithTheDataSetsVocabulary(kind: String, size: Int) throws {
    try withData(kind) { folder in
      let manifest = try DataManifest(path: folder.appending(path: "data/x_manifest.json").path)
      #expect(manifest.vocabularySize == size)
      let tokenizer = try manifest.tokenizer()
      let data = [
        ["--data", "data"], ["--train-data", "data/x_train.bin"],
        ["--train-data", "data/x_train.bin", "--val-data", "data/x_val.bin"],
      ]
      for arguments in data {
        let samples = try samples(arguments + ["--vocabulary", "\(size)"], in: folder)
        #expect(!samples.isEmpty)
        for sample in samples { #expect(sample.text == tokenizer.decode(sample.tokens ?? [])) }
      }
      // What is given wins.
      let given = folder.appending(path: "given.bin")
      try Data(TestVocabulary.llm).write(to: given)
      let other = try Tokenizer(path: given.path)
      for sample in try samples(data[0] + ["--vocabulary", "\(size)", "--tokenizer", given.path], in: folder)
      {
        #expect(sample.text == other.decode(sample.tokens ?? []))
      }
    }
  }

  @Test func aModelOfAnotherVocabularyIsRefused() throws {
    try withData("characters") { folder in
      for size in ["7", "9", "50257"] {
        let run = try Executable.run(
          Self.train + Self.sizes + ["--data", "data", "--vocabulary", size], in: folder)
        expectRefusal(
          run, "data/x_manifest.json", "the model's \(size) tokens, but has 8 (characters)", "--vocabulary 8")
      }
      // Data of two vocabularies, too.
      let run = try Executable.run(
        ["tokenize", "text.txt", "--output-directory", "data", "--name", "y", "--vocabulary", "bytes"],
        in: folder)
      #expect(run.exitCode == 0)
      expectRefusal(
        try Executable.run(
          Self.train + Self.sizes + [
            "--vocabulary", "8", "--train-data", "data/x_train.bin", "data/y_train.bin",
          ], in: folder),
        "data/y_manifest.json: the vocabulary should be that of data/x_manifest.json")
    }
  }

  @Test func inspectTellsWhatAManifestIs() throws {
    try withData("characters") { folder in
      let run = try Executable.run(["inspect", "data/x_manifest.json"], in: folder)
      #expect(run.exitCode == 0 && run.errors.isEmpty, "\(run.errors)")
      for fragment in ["manifest of token files", "characters, 8 tokens", "in x_train.bin", "in x_val.bin"] {
        #expect(run.output.contains(fragment), "\(run.output)")
      }
    }
  }

  @Test func manifestsThatAreNone() throws {
    try withData("gpt2") { folder in
      let url = folder.appending(path: "data/x_manifest.json")
      let good = try String(contentsOf: url, encoding: .utf8)
      func refused(_ text: String, _ fragments: String...) throws {
        try Data(text.utf8).write(to: url)
        let run = try Executable.run(
          Self.train + Self.sizes + ["--data", "data", "--vocabulary", "\(TestVocabulary.size)"], in: folder)
        expectRefusal(run, "data/x_")
        for fragment in fragments { #expect(run.errors.contains(fragment), "\(run.errors)") }
      }
      func changed(_ from: String, _ to: String) -> String {
        #expect(good.contains(from))
        return good.replacing(from, with: to)
      }
      try refused("", "the JSON at byte 0", "the end")
      try refused(String(good.dropLast(5)), "the JSON at byte")
      try refused("{}", "the format", "missing")
      try refused(changed("\"version\":1", "\"version\":1,\"version\":2"), "'version' a second time")
      try refused(changed("gpt2 token files", "another"), "the format", "'another'")
      try refused(changed("\"version\":1", "\"version\":2"), "the version should be 1, but is 2")
      try refused(changed("\"kind\":\"gpt2\"", "\"kind\":\"words\""), "the vocabulary's kind", "'words'")
      try refused(changed("\"kind\":\"gpt2\"", "\"kind\":7"), "a string", "'7'")
      try refused(changed("\"size\":\(TestVocabulary.size)", "\"size\":0"), "the vocabulary's size", "0")
      try refused(changed("\"size\":\(TestVocabulary.size),", ""), "the vocabulary's size", "missing")
      try refused(
        changed("\"end_of_text\":\(TestVocabulary.endOfText)", "\"end_of_text\":-1"), "end_of_text", "-1")
      try refused(
        changed("\"end_of_text\":\(TestVocabulary.endOfText)", "\"end_of_text\":1"), "the vocabulary",
        "with 1")
      try refused(changed("\"x_tokenizer.bin\"", "\"../x_tokenizer.bin\""), "without a folder")
      try refused(changed("\"x_tokenizer.bin\"", "\"x_none.bin\""), "x_none.bin", "nothing")
      try refused(changed("\"x_tokenizer.bin\"", "\"x_manifest.json\""), "an llm.c tokenizer")
      try refused(changed("\"train\":", "\"trains\":"), "train should be there, but is missing")
    }
  }
}
