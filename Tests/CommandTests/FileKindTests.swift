import Foundation
import TestSupport
import Testing

/// What people give by mistake is named, with what to do instead, by every reader.
@Suite struct FileKindTests {
  struct Kind: CustomTestStringConvertible, Sendable {
    let bytes: [UInt8]
    let name: String
    let advice: String
    var testDescription: String { name }
  }

  private static let kinds: [Kind] = [
    Kind(
      bytes: Array("version https://git-lfs.github.com/spec/v1\noid sha256:0\n".utf8),
      name: "git-lfs pointer", advice: "git lfs pull"),
    Kind(bytes: [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 3], name: "gzip", advice: "gunzip"),
    Kind(bytes: [0x28, 0xB5, 0x2F, 0xFD, 4, 0], name: "Zstandard", advice: "unzstd"),
    Kind(bytes: Array("GGUF".utf8) + [3, 0, 0, 0], name: "a GGUF file", advice: "Hugging Face directory"),
    Kind(bytes: [0x93] + Array("NUMPY".utf8) + [1, 0], name: "a NumPy array", advice: "tofile"),
    Kind(
      bytes: [0xEF, 0xBB, 0xBF] + Array("{\"a\": 1}".utf8), name: "byte order mark", advice: "saved as UTF-8"),
    Kind(bytes: [0xFF, 0xFE, 0x7B, 0], name: "UTF-16 text", advice: "saved as UTF-8"),
    Kind(bytes: Array("\n<!DOCTYPE html>\n<html>".utf8), name: "a web page", advice: "the download"),
    Kind(bytes: [0x80, 4, 0x95, 1, 0, 0, 0], name: "a Python pickle", advice: "torch.save"),
    Kind(bytes: [0x89] + Array("HDF\r\n".utf8), name: "an HDF5 file", advice: "Hugging Face directory"),
  ]

  @Test(arguments: kinds) func everyReaderNamesIt(_ kind: Kind) throws {
    try TemporaryDirectory.with { directory in
      func run(_ arguments: String...) throws -> Run { try Executable.run(arguments, in: directory) }
      try HuggingFaceFiles.write(kind.bytes, to: "it", in: directory)
      expectRefusal(try run("convert", "it", "out"), "it: ", kind.name, kind.advice)
      expectRefusal(try run("generate", "--checkpoint", "it", "--tokens", "1"), kind.name, kind.advice)
      let model = ReferenceCase.tiny.model.path
      expectRefusal(try run("verify", "--checkpoint", model, "--debug-state", "it"), kind.name, kind.advice)
      expectRefusal(
        try run("generate", "--checkpoint", model, "--tokenizer", "it", "--prompt", "x"), kind.name,
        kind.advice)
      if !["byte order mark", "a web page"].contains(kind.name) {
        expectRefusal(
          try run("tokenize", "it", "--vocabulary", "bytes", "--output-directory", ".", "--name", "x"),
          "it: ",
          kind.name, kind.advice)
      }
      // The others begin as token ids might.
      if ["git-lfs pointer", "Zstandard", "a GGUF file", "a web page", "an HDF5 file"].contains(kind.name) {
        expectRefusal(
          try run("evaluate", "--checkpoint", model, "--data", "it"), "it: ", kind.name, kind.advice)
      }
      let inspected = try run("inspect", "it")
      // One of tokens would be read: what is missing of this one is said.
      if kind.name == "a NumPy array" {
        expectRefusal(inspected, "it: ", "header")
      } else {
        #expect(inspected.exitCode == 0 && inspected.output.contains(kind.name), "\(inspected.errors)")
        #expect(inspected.output.contains(kind.advice))
      }
      // As the parts of a directory.
      var files = try HuggingFaceFiles(ReferenceCase.tiny.huggingFace)
      let folder = directory.appending(path: "hf")
      try files.write(to: folder)
      try HuggingFaceFiles.write(kind.bytes, to: "model.safetensors", in: folder)
      expectRefusal(try run("convert", "hf", "out"), "hf/model.safetensors", kind.name, kind.advice)
      files.tensors = []
      try HuggingFaceFiles.write(kind.bytes, to: "config.json", in: folder)
      expectRefusal(try run("convert", "hf", "out"), "hf/config.json", kind.name, kind.advice)
    }
  }

  @Test func filesOfOursInTheWrongPlace() throws {
    try TemporaryDirectory.with { directory in
      func run(_ arguments: String...) throws -> Run { try Executable.run(arguments, in: directory) }
      try HuggingFaceFiles(ReferenceCase.tiny.huggingFace).write(to: directory.appending(path: "hf"))
      expectRefusal(
        try run("convert", "hf/config.json", "out"), "a JSON object", "its directory is to be given")
      let trained = try Executable.run(TrainCase.arguments() + ["--log", "log.jsonl"], in: directory)
      #expect(trained.exitCode == 0, "\(trained.errors)")
      expectRefusal(try run("convert", "log.jsonl", "out"), "the log of a training run", "--save")
      let losses = try TrainCase.log(directory.appending(path: "log.jsonl")).filter { $0.event == "train" }
        .compactMap(\.loss)
      let inspected = try run("inspect", "log.jsonl").output
      let steps = ReferenceCase.tiny.steps
      #expect(
        inspected.contains("training log")
          && inspected.contains("steps       \(steps), the last number \(steps - 1)"))
      for loss in [losses.first, losses.last] {
        #expect(inspected.contains(String(format: "%.6f", Double(try #require(loss)))), "\(inspected)")
      }
      #expect(inspected.contains("ended       whole"), "\(inspected)")
      var cut = try Data(contentsOf: directory.appending(path: "log.jsonl"))
      cut.removeLast(30)
      try cut.write(to: directory.appending(path: "log.jsonl"))
      #expect(try run("inspect", "log.jsonl").output.contains("the last line is cut off"))
    }
  }

  @Test func foldersAndDirectoriesAreShown() throws {
    try TemporaryDirectory.with { directory in
      let data = directory.appending(path: "data")
      let tokens = try Data(contentsOf: ReferenceCase.tiny.tokensInt32)
      for name in ["x_train.bin", "x_val.bin"] {
        try HuggingFaceFiles.write([UInt8](tokens), to: name, in: data)
      }
      let folder = try Executable.run(["inspect", "data"], in: directory).output
      #expect(folder.contains("folder of token files") && folder.contains("data set    x"), "\(folder)")
      #expect(folder.contains("training    221 in 1 file"), "\(folder)")
      let inspected = try Executable.run(["inspect", ReferenceCase.tiny.huggingFace.path], in: directory)
      let rows = inspected.lines.map { $0.split(separator: " ").joined(separator: " ") }
      #expect(rows.contains("transformer.h.1.mlp.c_proj.weight F32 48 × 12 2.2 KiB"), "\(inspected.output)")
      #expect(rows.contains { $0.hasPrefix("fcprojw 2 × 12 × 48 ") })
    }
  }
}
