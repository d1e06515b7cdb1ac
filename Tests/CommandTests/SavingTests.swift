import Foundation
import TestSupport
import Testing

/// What is refused, and what fails.
@Suite struct SavingTests {
  private let arguments = TrainCase.savedArguments(steps: 6, saveEvery: 2)

  @Test func withoutSaveItSaysThatNothingIsKept() throws {
    try TemporaryDirectory.with { directory in
      let run = try Executable.run(TrainCase.arguments() + ["--steps", "1"], in: directory)
      #expect(run.lines.contains { $0.hasPrefix("kept") && $0.contains("nothing") && $0.contains("--save") })
      let kept = try Executable.run(arguments, in: directory)
      #expect(kept.lines.contains { $0.hasPrefix("kept") && $0.contains("every 2 steps in run") })
      #expect(SavedRun(directory).steps == ["step-00000002", "step-00000004", "step-00000006"])
    }
  }

  @Test func optionsThatContradictTheSavedOnesAreRefused() throws {
    let tiny = TrainCase.tiny
    try TemporaryDirectory.with { directory in
      #expect(try Executable.run(arguments, in: directory).exitCode == 0)
      let changes: [([String], String)] = [
        (["--seed", "5"], "seed should stay 1337"),
        (["--batch-size", "2"], "batch-size should stay 1"),
        (["--sequence-length", "5"], "sequence-length should stay"),
        (["--gradient-accumulation", "1"], "gradient-accumulation should stay 2"),
        (["--optimizer", "sgd"], "optimizer should stay adamw"),
        (["--beta1", "0.8"], "beta1 should stay 0.9"),
        (["--weight-decay", "0"], "weight-decay should stay 0.01"),
        (["--schedule", "linear"], "schedule should stay cosine"),
        (["--warmup", "nanogpt"], "warmup should stay llmc"),
        (["--order", "random"], "order should stay sequential"),
        (["--overfit-one-batch"], "overfit-one-batch should stay false"),
        (["--gradient-clip", "2"], "gradient-clip should stay 1"),
        (["--warmup-steps", "2"], "warmup-steps should stay 3"),
        (["--decay", "matrices"], "decay should stay all"),
        (["--activation", "gelu-quintic"], "activation should stay gelu"),
        (["--checkpoint", tiny.modelVersion1.path], "checkpoint should stay"),
        (["--train-data", tiny.tokensInt32.path, tiny.tokensInt32.path], "train-data should stay"),
      ]
      for (change, expected) in changes {
        let run = try Executable.run(["train", "--save", "run", "--resume"] + change, in: directory)
        expectRefusal(run, expected)
      }
      // What may change.
      let free = try Executable.run(
        [
          "train", "--save", "run", "--resume", "--steps", "7", "--learning-rate", "1e-3", "--val-every", "2",
          "--save-every", "3", "--keep", "1", "--threads", "1", "--numa", "local", "--recompute", "blocks",
        ], in: directory)
      #expect(free.exitCode == 0, "\(free.errors)")
      #expect(SavedRun(directory).steps.last == "step-00000007")
    }
  }

  @Test func aRunIsNotBegunOverAnother() throws {
    try TemporaryDirectory.with { directory in
      #expect(try Executable.run(arguments, in: directory).exitCode == 0)
      expectRefusal(try Executable.run(arguments, in: directory), "holds a run at step 6", "resume")
      expectRefusal(
        try Executable.run(["train", "--resume"], in: directory), exitCode: 64, "--resume needs --save")
      expectRefusal(
        try Executable.run(arguments + ["--keep", "0"], in: directory), exitCode: 64,
        "--keep should be at least 1")
    }
  }

  @Test func aSecondWriterIsToldWhoTheFirstIs() throws {
    try TemporaryDirectory.with { directory in
      let saved = SavedRun(directory)
      let first = try Executable.start(TrainCase.savedArguments(steps: 100_000, saveEvery: 10), in: directory)
      defer {
        kill(first.processIdentifier, SIGKILL)
        first.waitUntilExit()
      }
      while first.isRunning, saved.steps.isEmpty { Thread.sleep(forTimeInterval: 0.001) }
      let second = try Executable.run(["train", "--save", "run", "--resume"], in: directory)
      expectRefusal(second, "process \(first.processIdentifier) writes to it")
    }
  }

  // MARK: - Failing writes

  /// Files of at most so many KiB, as a full disk refuses to grow them.
  private func run(_ arguments: [String], kibibytes: Int, in directory: URL) throws -> Run {
    let words = arguments.map { "'\($0)'" }.joined(separator: " ")
    return try Executable.run(
      ["-c", "trap '' XFSZ; ulimit -f \(kibibytes); exec '\(Executable.url.path)' \(words)"], in: directory,
      program: URL(filePath: "/bin/bash"))
  }

  @Test func aFullDiskLosesNothingThatWasWhole() throws {
    try TemporaryDirectory.with { directory in
      let saved = SavedRun(directory)
      #expect(try Executable.run(arguments, in: directory).exitCode == 0)
      let before = try saved.content(6)
      let resume = ["train", "--save", "run", "--resume", "--steps", "9", "--save-every", "1"]
      let goesOn = try run(resume, kibibytes: 16, in: directory)
      // Two warnings, and the last save is one that the run cannot do without.
      #expect(goesOn.exitCode == 1 && goesOn.errorLines.count == 3, "\(goesOn.errors)")
      #expect(goesOn.errors.contains("step 7 is not saved") && goesOn.errors.contains("step 8 is not saved"))
      #expect(
        goesOn.errorLines.last?.hasPrefix("error: ") == true && goesOn.errors.contains("cannot be written"))
      #expect(goesOn.lines.contains { $0.hasPrefix("step    8") && $0.contains("tok/s") })
      let stops = try run(resume + ["--on-save-error", "stop"], kibibytes: 16, in: directory)
      expectRefusal(stops, "cannot be written")
      // Step 7 is trained while the save before it fails.
      #expect(!stops.lines.contains { $0.hasPrefix("step    8") && $0.contains("tok/s") })
      #expect(try saved.content(6) == before && saved.steps.last == "step-00000006" && !saved.isBeingWritten)
      // With room again it goes on.
      #expect(try Executable.run(resume, in: directory).exitCode == 0)
      #expect(saved.steps.last == "step-00000009")
    }
  }

  @Test func aDirectoryThatCannotBeMadeIsRefusedAtTheStart() throws {
    try TemporaryDirectory.with { directory in
      for (option, path) in [
        ("--save", "missing/run"), ("--output", "missing/model.bin"), ("--output", "missing/model"),
      ] {
        let run = try Executable.run(TrainCase.arguments() + [option, path], in: directory)
        expectRefusal(run, path)
        #expect(run.output.isEmpty)
      }
      try Data().write(to: directory.appending(path: "file"))
      expectRefusal(try Executable.run(TrainCase.arguments() + ["--save", "file"], in: directory), "file")
    }
  }

  // MARK: - The model alone

  @Test func outputIsTheModelAtTheEnd() throws {
    try TemporaryDirectory.with { directory in
      let outputs: [(String, [String])] = [
        ("model.bin", []), ("model", []), ("v5.bin", ["--output-format", "llmc-v5"]),
      ]
      for (name, more) in outputs {
        let run = try Executable.run(
          TrainCase.arguments() + ["--steps", "2", "--output", name, "--threads", "1"] + more, in: directory)
        #expect(run.exitCode == 0 && run.output.contains("model written to \(name)"), "\(run.errors)")
        let inspected = try Executable.run(["inspect", name], in: directory)
        #expect(inspected.exitCode == 0, "\(inspected.errors)")
        expectRefusal(
          try Executable.run(TrainCase.arguments() + ["--output", name] + more, in: directory), name)
      }
      // The same numbers in both.
      #expect(try Executable.run(["convert", "model", "other.bin"], in: directory).exitCode == 0)
      #expect(
        try Data(contentsOf: directory.appending(path: "other.bin"))
          == Data(contentsOf: directory.appending(path: "model.bin")))
    }
  }

  @Test func aRunDirectoryIsACheckpoint() throws {
    try TemporaryDirectory.with { directory in
      #expect(try Executable.run(arguments, in: directory).exitCode == 0)
      let converted = try Executable.run(["convert", "run", "model.bin"], in: directory)
      #expect(
        converted.exitCode == 0 && converted.output.contains("run/step-00000006/model"), "\(converted.errors)"
      )
      let trained = try Executable.run(
        [
          "train", "--checkpoint", "run", "--train-data", TrainCase.tiny.tokensInt32.path, "--batch-size",
          "1",
          "--sequence-length", "8", "--steps", "1",
        ], in: directory)
      #expect(trained.exitCode == 0, "\(trained.errors)")
    }
  }
}
