import Foundation
import TestSupport
import Testing

@Suite struct TrainTests {
  @Test func lossesAreTheReferencesAndTheLogHasEveryEvent() throws {
    let tiny = TrainCase.tiny
    let expected = try tiny.expected()
    try TemporaryDirectory.with { directory in
      let url = directory.appending(path: "log.jsonl")
      let run = try Executable.run(
        TrainCase.arguments() + [
          "--val-every", "5", "--val-batches", "2", "--sample-every", "4", "--sample-length", "7", "--log",
          url.path,
          "--threads", "2",
        ], in: directory)
      #expect(run.exitCode == 0 && run.errors.isEmpty, "\(run.errors)")
      let log = try TrainCase.log(url)
      let steps = log.filter { $0.event == "train" }
      let tolerance = try expected.float32Tolerance("losses")
      let difference = try maximumDifference(steps.compactMap(\.loss), try expected.values("losses"))
      #expect(difference.magnitude <= tolerance, "\(difference)")
      #expect(
        steps.allSatisfy {
          $0.learningRate == 1e-4 && $0.gradientNorm! > 0 && $0.milliseconds! > 0 && $0.tokensPerSecond! > 0
        })

      let names = log.map { $0.event + ($0.step.map { " \($0)" } ?? "") }
      var expectedNames = ["start"]
      for step in 0...10 {
        if step.isMultiple(of: 5) { expectedNames.append("validation \(step)") }
        if step == 4 || step == 8 { expectedNames.append("sample \(step)") }
        if step < 10 { expectedNames.append("train \(step)") }
      }
      #expect(names == expectedNames + ["end"])
      #expect(log[0].threads == 2 && log.last?.steps == 10)
      #expect(log.filter { $0.event == "sample" }.allSatisfy { $0.tokens?.count == 7 && $0.tokens?[0] == 0 })
      // A line a step, and one that says why samples have no text.
      #expect(run.lines.count { $0.contains(" tok/s ") } == 10)
      #expect(run.lines.count { $0.contains("val loss") } == 3)
      #expect(run.lines.count { $0.contains("samples are printed as ids") } == 1)
    }
  }

  @Test func lossesHaveTheSameBitsForAllThreadsAndInstructionSets() throws {
    let first = try #require(try TrainCase.losses(["--threads", "1", "--isa", "portable"]))
    #expect(first.count == 10)
    for threads in ["1", "2"] {
      for isa in ["portable", "avx2", "avx512", "auto"] {
        guard let losses = try TrainCase.losses(["--threads", threads, "--isa", isa]) else { continue }
        #expect(losses.map(\.bitPattern) == first.map(\.bitPattern), "\(isa) with \(threads) threads")
      }
    }
  }

  @Test func everyCheckpointVersionAndTokenFormatTrains() throws {
    let tiny = TrainCase.tiny
    try TemporaryDirectory.with { directory in
      for model in [tiny.modelVersion1, tiny.modelBFloat16] {
        let run = try Executable.run(
          TrainCase.arguments(model: model, data: tiny.tokensUInt16) + ["--steps", "2"], in: directory)
        #expect(run.exitCode == 0, "\(run.errors)")
      }
    }
  }

  @Test(arguments: ["portable", "avx2", "avx512"])
  func theEnvironmentChoosesTheInstructionSet(isa: String) throws {
    try TemporaryDirectory.with { directory in
      let arguments = TrainCase.arguments() + ["--steps", "1"]
      let run = try Executable.run(arguments, in: directory, isa: isa)
      if run.exitCode == 64, run.errors.contains("not supported by this processor") { return }
      #expect(run.lines.contains { $0.hasPrefix("machine") && $0.hasSuffix(" \(isa)") }, "\(run.output)")
      // The flag outranks it.
      let flag = try Executable.run(arguments + ["--isa", "portable"], in: directory, isa: isa)
      #expect(flag.lines.contains { $0.hasPrefix("machine") && $0.hasSuffix(" portable") }, "\(flag.output)")
    }
  }

  @Test func dataSetsAndTokenizersAreFound() throws {
    let tiny = TrainCase.tiny
    try TemporaryDirectory.with { directory in
      let data = directory.appending(path: "data/deep")
      try FileManager.default.createDirectory(at: data, withIntermediateDirectories: true)
      for name in ["a_train", "a_val", "b_train", "b_val"] {
        try FileManager.default.copyItem(at: tiny.tokensInt32, to: data.appending(path: name + ".bin"))
      }
      try FileManager.default.copyItem(at: tiny.model, to: directory.appending(path: "gpt2_124M.bin"))
      // The letters A, B, C...: version 2, 29 tokens, the last ends a text.
      var tokenizer =
        [20_240_328, 2, 29, 28].flatMap { bytes(Int32($0)) } + [UInt8](repeating: 0, count: 1008)
      for token in 0..<UInt8(29) { tokenizer += [1, 65 + token] }
      try Data(tokenizer).write(to: directory.appending(path: "gpt2_tokenizer.bin"))

      let arguments = ["train", "--batch-size", "2", "--sequence-length", "11", "--steps", "1"]
      let sampling = ["--sample-every", "1", "--sample-length", "9"]
      let first = try Executable.run(arguments + sampling, in: directory)
      #expect(first.exitCode == 0, "\(first.errors)")
      #expect(first.output.contains("data/deep/a_train.bin") && first.output.contains("deep/a, deep/b"))
      let index = try #require(first.lines.firstIndex { $0 == "---" })
      // 28, the end of text, begins it; ids of the vocabulary are letters up to ].
      #expect(first.lines[index + 1].wholeMatch(of: /\][A-\]]{8}/) != nil, "\(first.lines[index + 1])")

      let second = try Executable.run(arguments + ["--dataset", "b"], in: directory)
      #expect(second.output.contains("data/deep/b_train.bin"), "\(second.errors)")
      expectRefusal(
        try Executable.run(arguments + ["--dataset", "c"], in: directory), "'c'", "deep/a, deep/b")
    }
  }

  @Test func withNothingAtHandItTrainsOnSums() throws {
    try TemporaryDirectory.with { directory in
      let log = directory.appending(path: "log.jsonl")
      let run = try Executable.run(
        ["train", "--steps", "3", "--sample-every", "3", "--val-batches", "1", "--log", log.path],
        in: directory)
      #expect(run.exitCode == 0, "\(run.errors)")
      #expect(run.lines.first?.contains("No checkpoint and no data found") ?? false)
      #expect(run.lines.last?.contains("of 50 sums") ?? false)
      let losses = try TrainCase.log(log).filter { $0.event == "train" }.compactMap(\.loss)
      // A model that knows nothing spreads its guess over the 13 characters, ln 13 = 2.56, apart from a bias to the
      // character it has just seen, whose embedding the tied head shares.
      #expect(losses.count == 3 && abs(losses[0] - Float(2.56)) < 0.3, "\(losses)")
    }
  }

  @Test func modelsOfOnesOwnSizesStartTheSameEveryTime() throws {
    try TemporaryDirectory.with { directory in
      let arguments = [
        "train", "--layers", "1", "--heads", "2", "--channels", "8", "--vocabulary", "29", "--context", "16",
        "--train-data", TrainCase.tiny.tokensInt32.path, "--sequence-length", "16", "--steps", "2",
        "--gradient-accumulation", "2", "--schedule", "cosine", "--warmup-steps", "1", "--gradient-clip", "1",
      ]
      let runs = try (0..<2).map { index in
        let log = directory.appending(path: "log\(index).jsonl")
        let run = try Executable.run(arguments + ["--log", log.path], in: directory)
        #expect(run.exitCode == 0, "\(run.errors)")
        return try TrainCase.log(log).compactMap(\.loss)
      }
      #expect(runs[0].count == 2 && runs[0] == runs[1])
    }
  }

  /// A reader that leaves early, as head does, ends the run without a word about it.
  @Test func aClosedPipeIsNoError() throws {
    try TemporaryDirectory.with { directory in
      let run = try Executable.run(
        ["-c", "'\(Executable.url.path)' train --steps 20 --val-every 0 --sample-every 0 | head -n 1"],
        in: directory,
        program: URL(filePath: "/bin/sh"))
      #expect(run.exitCode == 0 && run.errors.isEmpty && run.lines.count == 1, "\(run.errors)")
    }
  }

  @Test func divergenceEndsTheRun() throws {
    try TemporaryDirectory.with { directory in
      let log = directory.appending(path: "log.jsonl")
      let run = try Executable.run(
        TrainCase.arguments() + ["--learning-rate", "1e30", "--log", log.path], in: directory)
      expectRefusal(run, "diverged")
      let last = try #require(try TrainCase.log(log).last)
      #expect(last.event == "end" && last.error?.contains("diverged") ?? false)
    }
  }
}

/// Little-endian.
func bytes(_ value: Int32) -> [UInt8] {
  (0..<4).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
}
