import Foundation
import TestSupport
import Testing

/// What people type from habit gets a sentence that says what exists.
@Suite struct HabitTests {
  private func run(_ arguments: String...) throws -> Run {
    try TemporaryDirectory.with { try Executable.run(arguments, in: $0) }
  }

  @Test func wordsThatAreNoSubcommands() throws {
    for (word, here) in [
      ("sample", "generate"), ("eval", "evaluate"), ("finetune", "train"), ("info", "inspect"),
      ("plot", "report"),
    ] {
      expectRefusal(
        try run(word, "--checkpoint", "x"), exitCode: 64, "'\(word)', which '\(here)' does",
        "train, generate, evaluate, tokenize, verify, convert, inspect")
    }
    expectRefusal(try run("fly"), exitCode: 64, "there is no 'fly': the subcommands are train")
  }

  @Test func version() throws {
    let run = try run("--version")
    #expect(run.exitCode == 0 && run.output.wholeMatch(of: /\d+\.\d+\.\d+\n/) != nil, "\(run.output)")
  }

  @Test func aContextAlone() throws {
    expectRefusal(try run("train", "--context", "32"), exitCode: 64, "--layers", "--sequence-length")
  }

  /// A state of another model is told as such, not as one that contradicts itself.
  @Test func anotherModelsState() throws {
    let state = ReferenceCase.tiny.debugState.path
    for (option, old, new) in [("vocab_size", 29, 40), ("n_positions", 16, 20)] {
      try TemporaryDirectory.with { directory in
        var files = try HuggingFaceFiles(ReferenceCase.tiny.huggingFace)
        files.configuration.replace("\"\(option)\": \(old)", with: "\"\(option)\": \(new)")
        let index = try files.index(
          option == "vocab_size" ? "transformer.wte.weight" : "transformer.wpe.weight")
        files.tensors[index].shape[0] = new
        files.tensors[index].bytes += [UInt8](repeating: 0, count: 4 * 12 * (new - old))
        try files.write(to: directory.appending(path: "hf"))
        let run = try Executable.run(["verify", "--checkpoint", "hf", "--debug-state", state], in: directory)
        expectRefusal(run, "the file's size", "another model's, or cut off")
      }
    }
  }

  /// A data set that does not fit the model is not taken where another one does.
  @Test func theFirstDataSetThatFits() throws {
    try TemporaryDirectory.with { directory in
      let data = directory.appending(path: "data")
      let fitting = [UInt8](try Data(contentsOf: ReferenceCase.tiny.tokensInt32))
      let other = (0..<100).flatMap { _ in bytes(29) }
      for part in ["train", "val"] {
        try HuggingFaceFiles.write(other, to: "a_\(part).bin", in: data)
        try HuggingFaceFiles.write(fitting, to: "b_\(part).bin", in: data)
      }
      func train(_ more: String...) throws -> Run {
        try Executable.run(
          [
            "train", "--checkpoint", ReferenceCase.tiny.model.path, "--batch-size", "1", "--sequence-length",
            "8",
            "--steps", "1",
          ] + more, in: directory)
      }
      let run = try train()
      #expect(run.exitCode == 0 && run.output.contains("data sets   b, of a, b in data"), "\(run.errors)")
      expectRefusal(try train("--dataset", "a"), "a_train.bin", "29")
    }
  }
}
