import Foundation
import TestSupport
import Testing

/// Each bad input is refused with one sentence and an exit code that is not 0.
@Suite struct BadInputTests {
  private static let tiny = ReferenceCase.tiny

  /// Runs `train` with a checkpoint, or a token file, of these bytes.
  private func train(
    checkpoint: [UInt8]? = nil, data: [UInt8]? = nil, _ more: String...
  ) throws -> Run {
    try TemporaryDirectory.with { directory in
      var (model, tokens) = (Self.tiny.model, Self.tiny.tokensInt32)
      if let checkpoint {
        model = directory.appending(path: "model.bin")
        try Data(checkpoint).write(to: model)
      }
      if let data {
        tokens = directory.appending(path: "tokens.bin")
        try Data(data).write(to: tokens)
      }
      return try Executable.run(TrainCase.arguments(model: model, data: tokens) + more, in: directory)
    }
  }

  /// The bytes of the case's checkpoint with one int32 of the header replaced.
  private func checkpoint(field: Int, _ value: Int32) throws -> [UInt8] {
    var file = try whole()
    file.replaceSubrange(4 * field..<4 * field + 4, with: bytes(value))
    return file
  }

  private func whole() throws -> [UInt8] { [UInt8](try Data(contentsOf: Self.tiny.model)) }

  @Test func checkpointsThatAreNone() throws {
    expectRefusal(try train("--checkpoint", "/none/model.bin"), "/none/model.bin", "nothing")
    expectRefusal(try train("--checkpoint", "/"), "directory")
    expectRefusal(try train(checkpoint: []), "model.bin", "empty")
    expectRefusal(try train(checkpoint: Array("no checkpoint".utf8)), "model.bin", "but is text")
    expectRefusal(try train(checkpoint: [UInt8](repeating: 0, count: 13)), "model.bin", "13 bytes")
    expectRefusal(try train(checkpoint: checkpoint(field: 0, 20_240_328)), "llm.c tokenizer")
    expectRefusal(try train(checkpoint: checkpoint(field: 0, 7)), "the magic number should be 20240326", "7")
    expectRefusal(try train(checkpoint: checkpoint(field: 1, 2)), "the version should be 1 or 3 or 5", "2")
  }

  @Test func checkpointsOfAnotherSizeThanTheirHeaderSays() throws {
    expectRefusal(try train(checkpoint: Array(whole().prefix(500))), "500 bytes")
    expectRefusal(try train(checkpoint: whole().dropLast()), "the file's size", "1 too few")
    expectRefusal(try train(checkpoint: whole() + [0]), "the file's size", "1 too many")
    expectRefusal(try train(checkpoint: checkpoint(field: 4, 3)), "the file's size", "too few")
    expectRefusal(try train(checkpoint: checkpoint(field: 4, 1)), "the file's size", "too many")
  }

  @Test func checkpointsWithWrongSizes() throws {
    for field in 2...7 {
      expectRefusal(try train(checkpoint: checkpoint(field: field, 0)), "model.bin", "at least", "0")
      expectRefusal(try train(checkpoint: checkpoint(field: field, -5)), "model.bin", "at least", "-5")
    }
    expectRefusal(try train(checkpoint: checkpoint(field: 5, 5)), "multiple of the 5 heads")
    expectRefusal(try train(checkpoint: checkpoint(field: 6, Int32.max - 1)), "model.bin")
  }

  @Test func badData() throws {
    expectRefusal(try train("--train-data", "/none/tokens.bin"), "/none/tokens.bin")
    expectRefusal(try train(data: []), "tokens.bin", "23 tokens", "0")
    expectRefusal(try train(data: [UInt8](repeating: 0, count: 401)), "multiple of 4 bytes", "401")
    expectRefusal(try train(data: Array("some text".utf8)), "tokens.bin", "is text: 'gpt2 tokenize'")
    let headed = [UInt8](try Data(contentsOf: Self.tiny.tokensUInt16))
    expectRefusal(try train(data: headed + [0]), "the file's size", "1 too many")
    expectRefusal(try train(data: headed.dropLast()), "the file's size", "1 too few")
    expectRefusal(try train(data: (0..<22).flatMap { _ in bytes(1) }), "at least 23 tokens", "has 22")
    var tokens = [Int32](repeating: 1, count: 100)
    tokens[77] = 29
    expectRefusal(try train(data: tokens.flatMap { bytes($0) }), "position 77", "29")
    tokens[77] = -1
    expectRefusal(try train(data: tokens.flatMap { bytes($0) }), "position 77", "-1")
  }

  /// Where an update, or a batch of windows, would have to take some tokens twice.
  @Test func fewerTokensThanAnUpdateTakes() throws {
    // 22 tokens a batch: ten batches.
    expectRefusal(
      try train("--gradient-accumulation", "11"), exitCode: 64,
      "--gradient-accumulation should be at most 10", "batches of 2 × 11 in the training data", "11")
    for order in ["random", "shuffled"] {
      expectRefusal(
        try train("--order", order, "--batch-size", "21"), "at least 21 sequences of 11 tokens", "has 20")
    }
    expectRefusal(try train("--epochs", "1"), exitCode: 64, "--steps or --epochs")
    expectRefusal(try train("--order", "sorted"), exitCode: 64, "--order", "sorted", "shuffled")
  }

  @Test func directoriesWithoutDataOrModel() throws {
    try TemporaryDirectory.with { directory in
      expectRefusal(
        try Executable.run(["train", "--checkpoint", Self.tiny.model.path], in: directory), "expected data",
        "--train-data")
      expectRefusal(
        try Executable.run(["train", "--train-data", Self.tiny.tokensInt32.path], in: directory),
        "expected a model", "--checkpoint")
      expectRefusal(
        try Executable.run(["train", "--data", "none"], in: directory), "none: the data directory")
      expectRefusal(
        try Executable.run(["train", "--dataset", "x"], in: directory), "NAME_train.bin")
    }
  }

  @Test func wrongSizes() throws {
    for option in [
      "--batch-size", "--sequence-length", "--steps", "--gradient-accumulation", "--val-batches",
      "--sample-length",
      "--threads",
    ] {
      for value in ["0", "-3"] { expectRefusal(try train(option, value), exitCode: 64, option, "1", value) }
      expectRefusal(try train(option, "four"), exitCode: 64, option, "four", "whole number")
    }
    for option in ["--val-every", "--sample-every", "--warmup-steps"] {
      expectRefusal(try train(option, "-3"), exitCode: 64, option, "0", "-3")
    }
    expectRefusal(try train("--batch-size", "9223372036854775807"), exitCode: 64, "tokens")
    expectRefusal(
      try train("--batch-size", "100000000"),
      "available: a smaller --batch-size or --sequence-length, or --recompute")
    expectRefusal(
      try train("--sequence-length", "17"), "--sequence-length should be at most", "16, but is 17")
    expectRefusal(try train("--sample-length", "65537"), exitCode: 64, "--sample-length", "in 1...65536")
  }

  @Test func wrongUsage() throws {
    expectRefusal(try train("--stepz", "3"), exitCode: 64, "--stepz")
    expectRefusal(try train("--steps"), exitCode: 64, "--steps")
    expectRefusal(try train("--isa", "sse9"), exitCode: 64, "sse9", "avx2")
    expectRefusal(try train("--numa", "far"), exitCode: 64, "far", "interleaved")
    expectRefusal(try train("--schedule", "random"), exitCode: 64, "random")
    expectRefusal(try train("--activation", "relu"), exitCode: 64, "relu")
    expectRefusal(try train("--from-scratch", "gpt2-124M"), exitCode: 64, "--checkpoint", "--from-scratch")
    expectRefusal(try train("--layers", "3"), exitCode: 64, "--checkpoint", "--layers")
    expectRefusal(try train("--data", "."), exitCode: 64, "--train-data", "--data")
    try TemporaryDirectory.with { directory in
      func run(_ arguments: String...) throws -> Run { try Executable.run(arguments, in: directory) }
      expectRefusal(try run("fly"), exitCode: 64, "fly")
      expectRefusal(try run("inspect"), exitCode: 64, "<path>")
      expectRefusal(try run("verify", "--checkpoint", "x"), exitCode: 64, "--debug-state")
      expectRefusal(try run("train", "--layers", "3"), exitCode: 64, "--heads")
      expectRefusal(try run("train", "--from-scratch", "gpt5"), exitCode: 64, "gpt2-124M")
      expectRefusal(try run("train", "--val-data", "x"), exitCode: 64, "--train-data")
      let sizes = [
        "--layers", "1", "--heads", "3", "--channels", "8", "--vocabulary", "29", "--context", "16",
      ]
      expectRefusal(
        try Executable.run(["train"] + sizes, in: directory), exitCode: 64, "multiple of the 3 heads")
      expectRefusal(
        try Executable.run(["train", "--steps", "1"], in: directory, isa: "mmx"), exitCode: 64, "GPT2_ISA",
        "mmx")
    }
  }

  @Test func logsThatCannotBeWritten() throws {
    expectRefusal(try train("--log", "/none/log.jsonl"), "/none/log.jsonl")
    try TemporaryDirectory.with { directory in
      let log = directory.appending(path: "log.jsonl")
      try Data("kept".utf8).write(to: log)
      let run = try Executable.run(TrainCase.arguments() + ["--log", log.path], in: directory)
      expectRefusal(run, log.path, "exists")
      #expect(try Data(contentsOf: log) == Data("kept".utf8))
      #expect(!run.output.contains("step "))
    }
  }

  @Test func moreMemoryThanThereIs() throws {
    try TemporaryDirectory.with { directory in
      let start = ContinuousClock.now
      let run = try Executable.run(
        [
          "train", "--from-scratch", "gpt2-124M", "--batch-size", "100000", "--sequence-length", "1024",
          "--train-data", Self.tiny.tokensInt32.path,
        ], in: directory)
      expectRefusal(run, "bytes", "memory")
      #expect(ContinuousClock.now - start < .seconds(30), "memory was touched before it was refused")
    }
  }
}
