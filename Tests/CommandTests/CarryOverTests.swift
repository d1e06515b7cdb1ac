import Foundation
import TestSupport
import Testing

/// What goes with a model from one Hugging Face directory to another, and what is replaced there.
@Suite struct CarryOverTests {
  private static let tiny = ReferenceCase.tiny
  private let files: HuggingFaceFiles

  init() throws {
    var files = try HuggingFaceFiles(Self.tiny.huggingFace)
    files.configuration.replace(
      "{",
      with:
        "{\"bos_token_id\": 7, \"eos_token_id\": [8, 9], \"attn_pdrop\": 0.10, \"big\": 12345678901234567890,"
        + " \"task_specific_params\": {\"b\": 1, \"a\": null}, ", maxReplacements: 1)
    self.files = files
  }

  private func convert(_ arguments: String..., in directory: URL) throws -> Run {
    try Executable.run(["convert"] + arguments, in: directory)
  }

  private func names(_ folder: URL) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
  }

  @Test func fieldsAndFilesAreCarriedOver() throws {
    try TemporaryDirectory.with { directory in
      let from = directory.appending(path: "from")
      try files.write(to: from)
      for name in ["generation_config.json", "tokenizer.json", "tokenizer_config.json"] {
        try HuggingFaceFiles.write("{\"of\": \"\(name)\"}", to: name, in: from)
      }
      try HuggingFaceFiles.write("not ours", to: "training_args.txt", in: from)
      #expect(try convert("from", "to", "--precision", "float16", in: directory).exitCode == 0)
      let to = directory.appending(path: "to")
      #expect(
        try names(to) == [
          "config.json", "generation_config.json", "model.safetensors", "tokenizer.json",
          "tokenizer_config.json",
        ])
      let text = try String(contentsOf: to.appending(path: "config.json"), encoding: .utf8)
      for line in [
        "\"bos_token_id\": 7", "\"eos_token_id\": [8,9]", "\"attn_pdrop\": 0.10",
        "\"big\": 12345678901234567890",
        "\"task_specific_params\": {\"b\":1,\"a\":null}", "\"torch_dtype\": \"float16\"", "\"n_layer\": 2",
      ] { #expect(text.contains(line), "\(line) in \(text)") }
      let copied = try Data(contentsOf: to.appending(path: "tokenizer.json"))
      #expect(copied == Data("{\"of\": \"tokenizer.json\"}".utf8))
      // Trained on, the model still has them.
      let run = try Executable.run(
        [
          "train", "--checkpoint", "from", "--train-data", Self.tiny.tokensInt32.path, "--batch-size", "1",
          "--sequence-length", "8", "--steps", "1", "--save", "run", "--output", "out",
        ], in: directory)
      #expect(run.exitCode == 0, "\(run.errors)")
      for folder in ["run/step-00000001/model", "out"] {
        let folder = directory.appending(path: folder)
        let text = try String(contentsOf: folder.appending(path: "config.json"), encoding: .utf8)
        #expect(text.contains("\"eos_token_id\": [8,9]") && text.contains("\"attn_pdrop\": 0.10"), "\(text)")
        #expect(try names(folder).contains("generation_config.json"))
        #expect(try names(folder).contains("tokenizer.json"))
      }
    }
  }

  /// What fails when the model is written already, a file that is too large to go along, leaves no half of a directory.
  @Test func aNewDirectoryIsWholeOrNotThere() throws {
    try TemporaryDirectory.with { directory in
      let from = directory.appending(path: "from")
      try files.write(to: from)
      try HuggingFaceFiles.write("{", to: "vocab.json", in: from)
      let file = try FileHandle(forWritingTo: from.appending(path: "vocab.json"))
      try file.truncate(atOffset: 60 << 30)
      try file.close()
      expectRefusal(try convert("from", "to/", in: directory), "vocab.json", "\(60 << 30)")
      #expect(try names(directory) == ["from"])
      try FileManager.default.removeItem(at: from.appending(path: "vocab.json"))
      #expect(try convert("from", "to/", in: directory).exitCode == 0)
      #expect(try names(directory) == ["from", "to"])
      try Data().write(to: directory.appending(path: "file"))
      expectRefusal(try convert("from", "file", "--overwrite", in: directory), "file: ", "a directory")
    }
  }

  /// Nothing of the old model stays beside the new one, whose text it would make otherwise; what is not a model's stays.
  @Test func overwritingRemovesTheOldModel() throws {
    try TemporaryDirectory.with { directory in
      let to = directory.appending(path: "to")
      try files.writeShards(to: to)
      let companions = [
        "vocab.json", "merges.txt", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json",
        "added_tokens.json", "generation_config.json", "chat_template.jinja", "gpt2_tokenizer.bin",
      ]
      for name in ["pytorch_model.bin"] + companions { try HuggingFaceFiles.write("old", to: name, in: to) }
      try HuggingFaceFiles.write("kept", to: "README.md", in: to)
      let run = try convert(Self.tiny.model.path, "to", "--overwrite", in: directory)
      #expect(run.exitCode == 0, "\(run.errors)")
      #expect(try names(to) == ["README.md", "config.json", "model.safetensors"])
      let line = try #require(run.lines.first { $0.hasPrefix("removed") }, "\(run.output)")
      #expect(line.hasPrefix("removed 13 files, model.safetensors.index.json to "), "\(line)")
      // Nothing to remove, nothing said.
      let again = try convert(Self.tiny.model.path, "to", "--overwrite", in: directory)
      #expect(again.exitCode == 0 && !again.output.contains("removed"), "\(again.output)")
      // What the new model brings takes the place of the old one's, what it does not bring goes.
      let from = directory.appending(path: "from")
      try files.write(to: from)
      try HuggingFaceFiles.write("new", to: "tokenizer.json", in: from)
      for name in ["tokenizer.json", "vocab.json"] { try HuggingFaceFiles.write("old", to: name, in: to) }
      let brought = try convert("from", "to", "--overwrite", in: directory)
      #expect(
        brought.output.contains("removed vocab.json, which belonged to the model that was there"),
        "\(brought.output)")
      #expect(try names(to) == ["README.md", "config.json", "model.safetensors", "tokenizer.json"])
      #expect(try Data(contentsOf: to.appending(path: "tokenizer.json")) == Data("new".utf8))
      // A tokenizer that waits for its model is of none that is replaced.
      let waiting = directory.appending(path: "waiting")
      try HuggingFaceFiles.write("mine", to: "tokenizer.json", in: waiting)
      let first = try convert(Self.tiny.model.path, "waiting", "--overwrite", in: directory)
      #expect(first.exitCode == 0 && !first.output.contains("removed"), "\(first.output)")
      #expect(try names(waiting) == ["config.json", "model.safetensors", "tokenizer.json"])
      // Without being asked nothing changes, and the sentence says how to ask.
      try files.writeShards(to: directory.appending(path: "kept"))
      expectRefusal(try convert(Self.tiny.model.path, "kept", in: directory), "exists", "--overwrite")
      #expect(try names(directory.appending(path: "kept")).contains("model.safetensors.index.json"))
    }
  }

  @Test func aTargetThatIsTheSourceIsRefused() throws {
    try TemporaryDirectory.with { directory in
      try files.write(to: directory.appending(path: "hf"))
      try FileManager.default.copyItem(at: Self.tiny.model, to: directory.appending(path: "model.bin"))
      let manager = FileManager.default
      try manager.createSymbolicLink(
        atPath: directory.appending(path: "link").path, withDestinationPath: "hf")
      try manager.createSymbolicLink(
        atPath: directory.appending(path: "link.bin").path, withDestinationPath: "model.bin")
      try manager.linkItem(
        at: directory.appending(path: "model.bin"), to: directory.appending(path: "hard.bin"))
      try manager.createDirectory(
        at: directory.appending(path: "other"), withIntermediateDirectories: false)
      try manager.createSymbolicLink(
        atPath: directory.appending(path: "other/model.safetensors").path,
        withDestinationPath: "../hf/model.safetensors")
      for (from, to) in [
        ("hf", "hf"), ("hf", "./hf/"), ("hf", "link"), ("link", "hf"), ("hf", "other"),
        ("model.bin", "model.bin"),
        ("model.bin", "link.bin"), ("link.bin", "model.bin"), ("model.bin", "hard.bin"),
      ] {
        let run = try convert(from, to, "--overwrite", in: directory)
        expectRefusal(run, "the target should be another than what is read")
      }
      #expect(
        try Data(contentsOf: directory.appending(path: "model.bin")) == Data(contentsOf: Self.tiny.model))
    }
  }

  /// A file that is replaced keeps its permissions, and a link to it stays one.
  @Test func modesAndLinksStay() throws {
    try TemporaryDirectory.with { directory in
      let manager = FileManager.default
      let file = directory.appending(path: "inner/private.bin")
      try HuggingFaceFiles.write("old", to: "private.bin", in: directory.appending(path: "inner"))
      try manager.setAttributes([.posixPermissions: 0o600], ofItemAtPath: file.path)
      let link = directory.appending(path: "link.bin").path
      try manager.createSymbolicLink(atPath: link, withDestinationPath: "inner/private.bin")
      let run = try convert(Self.tiny.huggingFace.path, "link.bin", "--overwrite", in: directory)
      #expect(run.exitCode == 0, "\(run.errors)")
      #expect(try manager.destinationOfSymbolicLink(atPath: link) == "inner/private.bin")
      #expect(try Data(contentsOf: file) == Data(contentsOf: Self.tiny.model))
      #expect(try manager.attributesOfItem(atPath: file.path)[.posixPermissions] as? Int == 0o600)
    }
  }

  /// A link to what is not there yet stays one, and what it leads to is made: files, directories and a report.
  @Test func linksToNothingStay() throws {
    try TemporaryDirectory.with { directory in
      let run = try Executable.shell(
        #"""
        set -e
        mkdir inner
        ln -s inner/next.bin a.bin; ln -s new.bin inner/next.bin; ln -s inner/hf hf
        "$0" convert '\#(Self.tiny.huggingFace.path)' a.bin > /dev/null
        "$0" convert '\#(Self.tiny.model.path)' hf > /dev/null
        rm inner/new.bin
        "$0" convert '\#(Self.tiny.huggingFace.path)' a.bin --overwrite > /dev/null
        readlink a.bin inner/next.bin hf
        """#, in: directory)
      #expect(run.exitCode == 0, "\(run.errors)")
      #expect(run.output == "inner/next.bin\nnew.bin\ninner/hf\n")
      let inner = directory.appending(path: "inner")
      #expect(try names(inner) == ["hf", "new.bin", "next.bin"])
      #expect(try Data(contentsOf: inner.appending(path: "new.bin")) == Data(contentsOf: Self.tiny.model))
      let link = directory.appending(path: "gone.bin").path
      try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: "gone/x.bin")
      expectRefusal(
        try convert(Self.tiny.huggingFace.path, "gone.bin", in: directory),
        "a directory to make gone/x.bin in")
    }
  }
}
