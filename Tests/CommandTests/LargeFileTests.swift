import Foundation
import TestSupport
import Testing

/// Files of 60 GB without content: what is read whole says how large it may be.
@Suite struct LargeFileTests {
  private static let size: UInt64 = 60_000_000_000

  /// Lengthens a file, which begins with `text`, to 60 GB.
  private func makeGiant(_ name: String, _ text: String, in directory: URL) throws {
    let url = directory.appending(path: name)
    try FileManager.default.createDirectory(
      at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
    try Data(text.utf8).write(to: url)
    try FileHandle(forWritingTo: url).truncate(atOffset: Self.size)
  }

  private static let out = ["--output-directory", "out", "--name", "x"]

  @Test func vocabulariesAndMerges() throws {
    try TemporaryDirectory.with { directory in
      try Data("text".utf8).write(to: directory.appending(path: "a.txt"))
      let limit = "the file's size should be at most 67108864 bytes, as it is read whole, but is 60000000000"
      try makeGiant("vocab.json", "{\"a\": 0", in: directory)
      expectRefusal(
        try Executable.run(["tokenize", "a.txt"] + Self.out, in: directory), "vocab.json: " + limit)
      expectRefusal(try Executable.run(["inspect", "vocab.json"], in: directory), "vocab.json: " + limit)
      try Data(TestVocabulary.json(TestVocabulary.tokens).utf8).write(
        to: directory.appending(path: "vocab.json"))
      try makeGiant("merges.txt", "#version: 0.2\n", in: directory)
      expectRefusal(
        try Executable.run(["tokenize", "a.txt"] + Self.out, in: directory), "merges.txt: " + limit)
      let vocabulary = directory.appending(path: "t.bin")
      try Data(TestVocabulary.llm).write(to: vocabulary)
      try FileHandle(forWritingTo: vocabulary).truncate(atOffset: Self.size)
      let arguments = ["tokenize", "a.txt", "--tokenizer", "t.bin"] + Self.out
      expectRefusal(try Executable.run(arguments, in: directory), "t.bin: " + limit)
    }
  }

  @Test func manifestsAndPrompts() throws {
    try TemporaryDirectory.with { directory in
      let data = directory.appending(path: "x_train.bin")
      try FileManager.default.copyItem(at: TrainCase.tiny.tokensInt32, to: data)
      try makeGiant("x_manifest.json", "{\"format\": \"gpt2 token files\"", in: directory)
      let model = TrainCase.tiny.model.path
      expectRefusal(
        try Executable.run(["train", "--checkpoint", model, "--train-data", "x_train.bin"], in: directory),
        "x_manifest.json: the file's size should be at most")
      try makeGiant("p.txt", "a", in: directory)
      expectRefusal(
        try Executable.run(["generate", "--checkpoint", model, "--prompt-file", "p.txt"], in: directory),
        "p.txt: the file's size should be at most")
      expectRefusal(
        try Executable.run(["evaluate", "--checkpoint", model, "--hellaswag", "p.txt"], in: directory),
        "p.txt: ")
      // Characters from a pipe have no size that could be asked.
      expectRefusal(
        try Executable.shell(
          #"head -c 70000000 /dev/zero | "$0" generate --checkpoint '\#(model)' -"#, in: directory),
        "standard input: its size should be at most 67108864 bytes")
    }
  }

  @Test func configurationsAndIndices() throws {
    try TemporaryDirectory.with { directory in
      let tiny = Fixtures.url("tiny/hf")
      for (giant, other) in [
        ("config.json", "model.safetensors"), ("model.safetensors.index.json", "config.json"),
      ] {
        let folder = directory.appending(path: giant + ".d")
        try makeGiant(giant + ".d/" + giant, "{", in: directory)
        try FileManager.default.copyItem(
          at: tiny.appending(path: other), to: folder.appending(path: other))
        expectRefusal(
          try Executable.run(["inspect", folder.path], in: directory),
          giant + ": the JSON should be at most 16777216")
      }
    }
  }
}
