import Foundation
import TestSupport
import Testing

@Suite struct ResumeTests {
  private static let steps = 24

  /// What a run that nobody touches ends with.
  private func untouched(_ steps: Int = steps) throws -> SavedRun.Content {
    try TemporaryDirectory.with { directory in
      let run = try Executable.run(
        TrainCase.savedArguments(steps: steps, saveEvery: 100) + ["--threads", "1"], in: directory)
      #expect(run.exitCode == 0, "\(run.errors)")
      return try SavedRun(directory).content(steps)
    }
  }

  // MARK: - The same bits

  /// Each stretch on other threads and with another instruction set; only the first names the options.
  @Test func stretchesAddUpToTheWhole() throws {
    let whole = try untouched()
    try TemporaryDirectory.with { directory in
      let log = directory.appending(path: "log.jsonl")
      var arguments = TrainCase.savedArguments(steps: 24, saveEvery: 5) + ["--log", log.path]
      for (index, isa) in ["portable", "avx2", "avx512"].enumerated() {
        let run = try Executable.run(arguments + ["--threads", "\(index + 1)"], in: directory, isa: isa)
        if run.errors.contains("not supported by this processor") { continue }
        #expect(run.exitCode == 0, "\(run.errors)")
        #expect(run.output.contains("saved run/step-00000024"))
        #expect(try SavedRun(directory).content(24) == whole, "\(isa)")
        // As if the last two were never saved: it goes on from 15.
        for step in [20, 24] {
          try FileManager.default.removeItem(at: directory.appending(path: "run/step-000000\(step)"))
        }
        arguments = ["train", "--save", "run", "--resume"]
      }
      let steps = try TrainCase.log(log).filter { $0.event == "train" }.compactMap(\.step)
      #expect(steps.starts(with: Array(0..<24) + Array(15..<24)))
    }
  }

  /// Killed at random moments, half of them while it saves; the moments are told when it fails.
  @Test func killedAtRandomMomentsItEndsTheSame() throws {
    let steps = 60
    let whole = try untouched(steps)
    let arguments = TrainCase.savedArguments(steps: steps, saveEvery: 1) + ["--resume"]
    try TemporaryDirectory.with { directory in
      let saved = SavedRun(directory)
      var random = TestRandom(seed: UInt64(Date().timeIntervalSince1970))
      var moments: [String] = []
      for kill in 0..<12 {
        let process = try Executable.start(arguments, in: directory)
        let delay = Double(random.next() % 60) / 1000
        if kill.isMultiple(of: 2) {
          Thread.sleep(forTimeInterval: delay)
        } else {
          while process.isRunning, !saved.isBeingWritten {}
          Thread.sleep(forTimeInterval: delay / 20)
        }
        kill9(process)
        moments.append("\(saved.steps.last ?? "nothing")\(saved.isBeingWritten ? ", writing" : "")")
      }
      let run = try Executable.run(arguments, in: directory)
      #expect(run.exitCode == 0, "\(run.errors)")
      #expect(try saved.content(steps) == whole, "killed at \(moments)")
      #expect(!saved.isBeingWritten, "remains of killed writers are removed")
    }
  }

  private func kill9(_ process: Process) {
    kill(process.processIdentifier, SIGKILL)
    process.waitUntilExit()
  }

  @Test func aDamagedNewestStepIsNamedAndTheOneBeforeUsed() throws {
    let whole = try untouched()
    try TemporaryDirectory.with { directory in
      let first = try Executable.run(TrainCase.savedArguments(steps: 24, saveEvery: 10), in: directory)
      #expect(first.exitCode == 0, "\(first.errors)")
      let damaged = directory.appending(path: "run/step-00000024/optimizer.safetensors")
      try Data(try Data(contentsOf: damaged).dropLast()).write(to: damaged)
      let run = try Executable.run(["train", "--save", "run", "--resume"], in: directory)
      #expect(run.exitCode == 0)
      #expect(
        run.errorLines.count == 2 && run.errors.contains("step-00000024/optimizer.safetensors"),
        "\(run.errors)")
      #expect(run.errors.contains("step-00000020 is whole and used instead"), "\(run.errors)")
      #expect(try SavedRun(directory).content(24) == whole)
    }
  }

  @Test func moreStepsGoOnWhereTheRunEnded() throws {
    try TemporaryDirectory.with { directory in
      let constant = ["--schedule", "constant"]
      let short = try Executable.run(
        TrainCase.savedArguments(steps: 5, saveEvery: 100) + constant, in: directory)
      #expect(short.exitCode == 0, "\(short.errors)")
      // Nothing is left to do.
      let again = try Executable.run(["train", "--save", "run", "--resume"], in: directory)
      #expect(again.exitCode == 0 && again.output.contains("0 steps"), "\(again.output)")
      let long = try Executable.run(["train", "--save", "run", "--resume", "--steps", "9"], in: directory)
      #expect(long.exitCode == 0, "\(long.errors)")
      let resumed = try SavedRun(directory).content(9)
      try TemporaryDirectory.with { other in
        let whole = try Executable.run(
          TrainCase.savedArguments(steps: 9, saveEvery: 100) + constant, in: other)
        #expect(whole.exitCode == 0, "\(whole.errors)")
        #expect(try SavedRun(other).content(9) == resumed)
      }
    }
  }

  /// A run replaces the model that it wrote itself, and nothing else that is in its place.
  @Test(arguments: ["final.bin", "final"])
  func theOutputIsWrittenAnew(_ output: String) throws {
    try TemporaryDirectory.with { directory in
      func arguments(steps: Int) -> [String] {
        TrainCase.savedArguments(steps: steps, saveEvery: 1) + [
          "--schedule", "constant", "--keep", "1", "--output", output,
        ]
      }
      func model() throws -> Data {
        try Data(
          contentsOf: directory.appending(path: output == "final" ? "final/model.safetensors" : output))
      }
      func run(_ arguments: [String]) throws -> Run { try Executable.run(arguments, in: directory) }
      let first = try run(arguments(steps: 5))
      #expect(first.exitCode == 0, "\(first.errors)")
      let written = try model()
      // The same words again, and with nothing left to do.
      let same = try run(arguments(steps: 5) + ["--resume"])
      #expect(same.exitCode == 0 && same.output.contains("model written to \(output)"), "\(same.errors)")
      #expect(try model() == written && !same.output.contains("removed"))
      // Further, with the output from the saved options; the step that it goes on from is not kept.
      let further = try run(["train", "--save", "run", "--resume", "--steps", "9"])
      #expect(further.exitCode == 0, "\(further.errors)")
      let trained = try model()
      #expect(trained != written)
      let whole = try TemporaryDirectory.with { other in
        let run = try Executable.run(arguments(steps: 9), in: other)
        #expect(run.exitCode == 0, "\(run.errors)")
        return try Data(
          contentsOf: other.appending(path: output == "final" ? "final/model.safetensors" : output))
      }
      #expect(trained == whole)
      // What others put there is theirs.
      let file = directory.appending(path: output == "final" ? "final/model.safetensors" : output)
      try (trained + [0]).write(to: file)
      expectRefusal(try run(["train", "--save", "run", "--resume", "--steps", "12"]), "exists already")
      #expect(try model() == trained + [0])
    }
  }

  /// Options given anew are judged beside those that were saved.
  @Test func theLowestRateGoesWithTheSavedSchedule() throws {
    try TemporaryDirectory.with { directory in
      let saved = ["--schedule", "linear", "--learning-rate", "1e-3"]
      let first = try Executable.run(
        TrainCase.savedArguments(steps: 3, saveEvery: 100) + saved, in: directory)
      #expect(first.exitCode == 0, "\(first.errors)")
      let resume = ["train", "--save", "run", "--resume", "--steps", "5", "--min-learning-rate"]
      let above = try Executable.run(resume + ["2e-3"], in: directory)
      #expect(above.exitCode == 64 && above.errors.contains("--min-learning-rate"), "\(above.errors)")
      let log = ["--log", "log.jsonl"]
      let second = try Executable.run(resume + ["5e-4"] + log, in: directory)
      #expect(second.exitCode == 0, "\(second.errors)")
      let text = try String(contentsOf: directory.appending(path: "log.jsonl"), encoding: .utf8)
      #expect(text.contains("\"min_learning_rate\":0.0005"), "\(text)")
      // A constant rate still has no lowest.
      let constant = try Executable.run(resume + ["5e-4", "--schedule", "constant"], in: directory)
      #expect(
        constant.exitCode == 64 && constant.errors.contains("schedule that falls"), "\(constant.errors)")
    }
  }

  @Test func theBuiltInCorpusResumesToo() throws {
    try TemporaryDirectory.with { directory in
      let options = [
        "--steps", "4", "--batch-size", "2", "--val-batches", "1", "--save", "run", "--save-every", "2",
      ]
      let first = try Executable.run(["train"] + options, in: directory)
      #expect(first.exitCode == 0, "\(first.errors)")
      let whole = try SavedRun(directory).content(4)
      try FileManager.default.removeItem(at: directory.appending(path: "run/step-00000004"))
      let second = try Executable.run(["train", "--resume", "--save", "run"], in: directory)
      #expect(second.exitCode == 0, "\(second.errors)")
      #expect(try SavedRun(directory).content(4) == whole)
    }
  }
}
