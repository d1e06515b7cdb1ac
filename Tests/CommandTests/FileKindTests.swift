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
    Kind(
      bytes: [8, 7, 0x12, 7] + Array("pytorch".utf8) + [0x1A], name: "an ONNX model", advice: "Hugging Face"),
    Kind(
      bytes: Array("BZh9".utf8) + [0x31, 0x41, 0x59, 0x26, 0x53, 0x59, 0], name: "bzip2", advice: "bunzip2"),
    Kind(bytes: Array("PAR1".utf8) + [0x15, 4], name: "a Parquet table", advice: "read_parquet"),
    Kind(bytes: Array("ARROW1\0\0".utf8), name: "an Arrow table", advice: "Dataset.from_file"),
    Kind(
      bytes: [0xFF, 0xFF, 0xFF, 0xFF, 0x78, 1, 0, 0, 0x10, 0, 0, 0], name: "an Arrow table",
      advice: "Dataset.from_file"),
    Kind(bytes: Array("FEA1\0\0\0\0".utf8), name: "a Feather table", advice: "read_feather"),
    Kind(bytes: Array("%PDF-1.7\n".utf8), name: "a PDF document", advice: "pdftotext"),
    Kind(bytes: tar("book.txt"), name: "a tar archive", advice: "tar -xf"),
    Kind(bytes: tar("sys_info"), name: "PyTorch before 1.6", advice: "torch.save(torch.load(FILE), NEW)"),
    Kind(
      bytes: [0x80, 2, 0x8A, 0x0A, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19, 0x2E],
      name: "PyTorch before 1.6", advice: "torch.save(torch.load(FILE), NEW)"),
    Kind(
      bytes: [0x50, 0x4B, 3, 4] + [UInt8](repeating: 0, count: 22) + [9, 0, 0, 0] + Array("arr_0.npyX".utf8),
      name: "a NumPy .npz archive", advice: "numpy.save"),
    Kind(bytes: Array("#version: 0.2\nh e\n".utf8), name: "the merges of a vocabulary", advice: "vocab.json"),
  ]

  /// The header of the first file in an archive.
  private static func tar(_ name: String) -> [UInt8] {
    let start = Array(name.utf8) + [UInt8](repeating: 0, count: 257 - name.utf8.count)
    return start + Array("ustar".utf8) + [UInt8](repeating: 0, count: 250)
  }

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
      if !["byte order mark", "a web page", "the merges of a vocabulary"].contains(kind.name) {
        expectRefusal(
          try run("tokenize", "it", "--vocabulary", "bytes", "--output-directory", ".", "--name", "x"),
          "it: ",
          kind.name, kind.advice)
      }
      // Of an odd size no file is of token ids; of an even one, these might be.
      for padding in [0, 1] where !["a NumPy array", "byte order mark"].contains(kind.name) {
        let bytes = kind.bytes + [UInt8](repeating: 0, count: padding)
        if kind.name == "a Python pickle", bytes.count.isMultiple(of: 2) { continue }
        try HuggingFaceFiles.write(bytes, to: "odd", in: directory)
        expectRefusal(
          try run("evaluate", "--checkpoint", model, "--data", "odd"),
          "odd: the file should be one of token ids",
          kind.name, kind.advice)
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

  /// llm.c's own, and PyTorch's, which no text begins like.
  @Test func binaryFilesAreNoText() throws {
    try TemporaryDirectory.with { directory in
      let tiny = ReferenceCase.tiny
      func bytes(_ url: URL) throws -> [UInt8] { [UInt8](try Data(contentsOf: url)) }
      for (bytes, name, advice) in [
        (try bytes(tiny.model), "an llm.c checkpoint", "behind --checkpoint"),
        (try bytes(tiny.debugState), "an llm.c debug state", "behind --debug-state"),
        (try bytes(tiny.tokensUInt16), "an llm.c data file", "behind --train-data"),
        (TestVocabulary.llm, "an llm.c tokenizer", "behind --tokenizer"),
        (HellaSwagBytes.file([([1, 2], [[3]], 0)]), "an llm.c HellaSwag file", "behind --hellaswag"),
        (PyTorchBytes(.none, storages: []).file, "a zip archive", "torch.save"),
      ] {
        try HuggingFaceFiles.write(bytes, to: "it.txt", in: directory)
        let tokenized = [
          "tokenize", "it.txt", "--vocabulary", "bytes", "--output-directory", ".", "--name", "x",
        ]
        expectRefusal(
          try Executable.run(tokenized, in: directory), "it.txt: the file should be text", name, advice)
        let prompt = ["generate", "--checkpoint", tiny.model.path, "--prompt-file", "it.txt"]
        expectRefusal(
          try Executable.run(prompt, in: directory), "it.txt: the file should be text", name, advice)
        if name == "an llm.c tokenizer" { continue }
        let given = ["generate", "--checkpoint", tiny.model.path, "--tokenizer", "it.txt", "--prompt", "x"]
        expectRefusal(
          try Executable.run(given, in: directory), "it.txt: the file should be an llm.c tok", name)
      }
    }
  }

  @Test func filesOfOursInTheWrongPlace() throws {
    try TemporaryDirectory.with { directory in
      func run(_ arguments: String...) throws -> Run { try Executable.run(arguments, in: directory) }
      try HuggingFaceFiles(ReferenceCase.tiny.huggingFace).write(to: directory.appending(path: "hf"))
      expectRefusal(
        try run("convert", "hf/config.json", "out"), "a JSON object", "its directory is to be given")
      let model = ReferenceCase.tiny.model.path
      expectRefusal(
        try run("generate", "--checkpoint", model, "--tokenizer", "hf/config.json", "--prompt", "x"),
        "hf/config.json: the file should be an llm.c tokenizer, a tokenizer.json, or a vocab.json with merges.txt",
        "but is a JSON object of another kind, such as a model's config.json is.")
      try HuggingFaceFiles.write("To be, or not to be", to: "book.txt", in: directory)
      expectRefusal(
        try run("convert", "book.txt", "out"), "or a model's directory, but is text: 'gpt2 tokenize' turns it"
      )
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

  /// A run none of whose steps is whole, wherever a model is read: its name is said once.
  @Test func aDamagedRun() throws {
    try TemporaryDirectory.with { directory in
      try FileManager.default.createDirectory(
        at: directory.appending(path: "sv/step-00000001"), withIntermediateDirectories: true)
      for arguments in [
        ["convert", "sv", "out"], ["train", "--save", "sv", "--resume"],
      ] {
        let run = try Executable.run(arguments, in: directory)
        expectRefusal(run, "error: sv: one of the kept steps should be whole, but none is: ")
      }
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
