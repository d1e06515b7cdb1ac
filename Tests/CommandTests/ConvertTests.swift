import Foundation
import TestSupport
import Testing

@Suite struct ConvertTests {
  private static let tiny = ReferenceCase.tiny

  private func convert(_ arguments: String..., in directory: URL) throws -> Run {
    try Executable.run(["convert"] + arguments, in: directory)
  }

  @Test(arguments: ReferenceCase.all)
  func thereAndBackIsExact(reference: ReferenceCase) throws {
    try TemporaryDirectory.with { directory in
      func bytes(_ name: String) throws -> Data { try Data(contentsOf: directory.appending(path: name)) }
      for (from, to, format) in [
        (reference.model.path, "hf", nil), ("hf", "model_v1.bin", "llmc-v1"),
        ("model_v1.bin", "again", "huggingface"), ("again", "model.bin", nil),
        ("again", "bf16.bin", "llmc-v5"), ("bf16.bin", "rounded", nil), ("rounded", "v3", "llmc-v3"),
      ] {
        let run = try Executable.run(
          ["convert", from, to] + (format.map { ["--format", $0] } ?? []), in: directory)
        #expect(run.exitCode == 0 && run.errors.isEmpty, "\(run.errors)")
        #expect(run.output.contains("\(reference.layers) layers"))
      }
      #expect(try bytes("model.bin") == Data(contentsOf: reference.model))
      #expect(try bytes("model_v1.bin") == Data(contentsOf: reference.modelVersion1))
      #expect(try bytes("bf16.bin") == Data(contentsOf: reference.modelBFloat16))
      #expect(try bytes("hf/model.safetensors") == bytes("again/model.safetensors"))
      #expect(try bytes("v3").count == bytes("model.bin").count)
      let files = try FileManager.default.contentsOfDirectory(atPath: directory.appending(path: "hf").path)
      #expect(files.sorted() == ["config.json", "model.safetensors"])
    }
  }

  @Test func aDirectoryTrainsAsTheFileDoes() throws {
    try TemporaryDirectory.with { directory in
      func losses(_ checkpoint: URL) throws -> [String] {
        let run = try Executable.run(
          [
            "train", "--checkpoint", checkpoint.path, "--train-data", Self.tiny.tokensInt32.path,
            "--batch-size", "2", "--sequence-length", "11", "--steps", "3", "--threads", "2",
          ], in: directory)
        #expect(run.exitCode == 0, "\(run.errors)")
        // The step, its loss and the gradient's norm; times differ.
        return run.lines.filter { $0.hasPrefix("step") }.map { line in
          let fields = line.split(separator: " ")
          return (fields.prefix(4) + fields.suffix(1)).joined(separator: " ")
        }
      }
      let expected = try losses(Self.tiny.model)
      #expect(expected.count == 3)
      #expect(try losses(Self.tiny.huggingFace) == expected)
    }
  }

  @Test(arguments: [("float32", "float32"), ("bfloat16", "bfloat16"), ("float16", "float16")])
  func everyPrecisionVerifies(precision: String, shown: String) throws {
    try TemporaryDirectory.with { directory in
      let written = try convert(Self.tiny.model.path, "hf", "--precision", precision, in: directory)
      #expect(written.output.contains("Hugging Face directory, \(shown)"), "\(written.errors)")
      let run = try Executable.run(
        ["verify", "--checkpoint", "hf", "--debug-state", Self.tiny.debugState.path], in: directory)
      #expect(run.exitCode == 0, "\(run.output)")
      let inspected = try Executable.run(["inspect", "hf"], in: directory)
      #expect(inspected.output.contains("2 layers, 2 heads, 12 channels"), "\(inspected.errors)")
    }
  }

  @Test func nothingIsOverwrittenUnlessAsked() throws {
    try TemporaryDirectory.with { directory in
      let file = directory.appending(path: "kept.bin")
      try Data("kept".utf8).write(to: file)
      expectRefusal(try convert(Self.tiny.huggingFace.path, "kept.bin", in: directory), "kept.bin", "exists")
      #expect(try Data(contentsOf: file) == Data("kept".utf8))
      let run = try convert(Self.tiny.huggingFace.path, "kept.bin", "--overwrite", in: directory)
      #expect(run.exitCode == 0, "\(run.errors)")
      #expect(try Data(contentsOf: file) == Data(contentsOf: Self.tiny.model))

      for name in ["config.json", "model.safetensors"] {
        let other = directory.appending(path: "kept-\(name)")
        try HuggingFaceFiles.write("kept", to: name, in: other)
        expectRefusal(try convert("kept.bin", other.path, in: directory), "\(other.path)/\(name)", "exists")
        #expect(try FileManager.default.contentsOfDirectory(atPath: other.path) == [name])
        #expect(try convert("kept.bin", other.path, "--overwrite", in: directory).exitCode == 0)
        let back = try convert(other.path, "back.bin", "--overwrite", in: directory)
        #expect(back.exitCode == 0, "\(back.errors)")
        #expect(
          try Data(contentsOf: directory.appending(path: "back.bin")) == Data(contentsOf: Self.tiny.model))
      }
    }
  }

  @Test func targetsThatCannotBe() throws {
    try TemporaryDirectory.with { directory in
      let model = Self.tiny.model.path
      try Data().write(to: directory.appending(path: "file"))
      expectRefusal(try convert(model, "none/x.bin", in: directory), "none/x.bin")
      expectRefusal(try convert(model, "none/x", in: directory), "none/x")
      expectRefusal(try convert(model, "file", in: directory), "file: ", "a directory, new or there")
      expectRefusal(try convert(model, ".", "--format", "llmc-v3", in: directory), "directory")
      expectRefusal(try convert("none", "x", in: directory), "none")
      expectRefusal(
        try convert(model, "x", "--format", "gguf", in: directory), exitCode: 64, "gguf", "llmc-v5")
      expectRefusal(try convert(model, "x", "--precision", "int4", in: directory), exitCode: 64, "int4")
      expectRefusal(
        try convert(model, "x.bin", "--precision", "bfloat16", in: directory), exitCode: 64, "--precision",
        "llmc-v3")
      expectRefusal(try convert(model, in: directory), exitCode: 64, "<to>")
      #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path) == ["file"])
    }
  }
}
