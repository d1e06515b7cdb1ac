import Foundation
import TestSupport
import Testing

@Suite struct SignalTests {
  /// A step takes long enough to be met by two signals, on any machine: 2.5 TFLOP.
  private static func slow(in directory: URL) throws -> [String] {
    let tokens = directory.appending(path: "tokens.bin")
    try Data(count: 4 * (256 * 2 * 64 + 1)).write(to: tokens)
    return [
      "train", "--layers", "4", "--heads", "4", "--channels", "512", "--vocabulary", "29", "--context", "64",
      "--train-data", tokens.path, "--token-type", "int32", "--batch-size", "2", "--sequence-length", "64",
      "--gradient-accumulation", "256", "--steps", "1000000", "--threads", "1", "--isa", "portable",
    ]
  }

  private func wait(_ process: Process, until condition: () -> Bool) {
    let limit = ContinuousClock.now + .seconds(60)
    while process.isRunning, !condition() {
      if ContinuousClock.now > limit {
        Issue.record("nothing happened for a minute")
        kill(process.processIdentifier, SIGKILL)
        return
      }
      Thread.sleep(forTimeInterval: 0.001)
    }
  }

  private func waitForEnd(_ process: Process) throws {
    let limit = ContinuousClock.now + .seconds(60)
    while process.isRunning {
      if ContinuousClock.now > limit {
        kill(process.processIdentifier, SIGKILL)
        throw TestFileError("the process did not end")
      }
      Thread.sleep(forTimeInterval: 0.002)
    }
  }

  @Test(arguments: [SIGINT, SIGTERM, SIGHUP])
  func theStepIsFinishedAndSaved(signal: Int32) throws {
    try TemporaryDirectory.with { directory in
      let saved = SavedRun(directory)
      // Constant, so that the number of steps decides nothing but the end.
      let arguments = TrainCase.savedArguments(steps: 100_000, saveEvery: 10) + ["--schedule", "constant"]
      let process = try Executable.start(arguments, in: directory)
      wait(process) { saved.steps.count >= 2 }
      kill(process.processIdentifier, signal)
      try waitForEnd(process)
      #expect(process.terminationReason == .exit && process.terminationStatus == 0)
      let last = try #require(saved.steps.last.flatMap { Int($0.suffix(8)) })
      let content = try saved.content(last)
      #expect(content.state.step == last && content.state.updateCount == last && !saved.isBeingWritten)
      let resumed = try Executable.run(
        ["train", "--save", "run", "--resume", "--steps", "\(last + 3)"], in: directory)
      #expect(resumed.exitCode == 0, "\(resumed.errors)")
      try TemporaryDirectory.with { other in
        let whole = try Executable.run(
          arguments + ["--steps", "\(last + 3)", "--save-every", "0"], in: other)
        #expect(whole.exitCode == 0, "\(whole.errors)")
        #expect(try SavedRun(other).content(last + 3) == saved.content(last + 3))
      }
    }
  }

  @Test func aSecondSignalEndsAtOnce() throws {
    try TemporaryDirectory.with { directory in
      let log = directory.appending(path: "log.jsonl")
      let process = try Executable.start(
        Self.slow(in: directory) + ["--save", "run", "--log", log.path], in: directory)
      // The start of the log is written before the first step.
      wait(process) { FileManager.default.fileExists(atPath: log.path) }
      Thread.sleep(forTimeInterval: 0.1)
      kill(process.processIdentifier, SIGTERM)
      Thread.sleep(forTimeInterval: 0.1)
      #expect(process.isRunning)
      kill(process.processIdentifier, SIGINT)
      try waitForEnd(process)
      #expect(process.terminationReason == .exit && process.terminationStatus == 130)
    }
  }

  @Test(arguments: [SIGINT, SIGTERM, SIGHUP])
  func withNothingToSaveTheFirstEndsAtOnce(signal: Int32) throws {
    try TemporaryDirectory.with { directory in
      let log = directory.appending(path: "log.jsonl")
      let process = try Executable.start(
        Self.slow(in: directory) + ["--log", log.path], in: directory)
      wait(process) { FileManager.default.fileExists(atPath: log.path) }
      kill(process.processIdentifier, signal)
      try waitForEnd(process)
      #expect(process.terminationReason == .exit && process.terminationStatus == 128 + signal)
    }
  }
}
