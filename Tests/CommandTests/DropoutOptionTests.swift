import Foundation
import TestSupport
import Testing

/// `--dropout`, as a user types it.
@Suite struct DropoutOptionTests {
  /// Runs the reference case `tiny` for a few steps of two batches, with a log.
  private func train(_ more: [String]) throws -> (run: Run, start: [String: Any], log: [LogLine]) {
    try TemporaryDirectory.with { directory in
      let log = directory.appending(path: "log.jsonl")
      let run = try Executable.run(
        TrainCase.arguments() + [
          "--steps", "4", "--sample-every", "0", "--gradient-accumulation", "2", "--learning-rate", "1e-2",
          "--log", log.path,
        ] + more, in: directory)
      guard run.exitCode == 0 else { return (run, [:], []) }
      let first = try #require(try String(contentsOf: log, encoding: .utf8).split(separator: "\n").first)
      let start = try JSONSerialization.jsonObject(with: Data(first.utf8)) as? [String: Any]
      return (run, try #require(start), try TrainCase.log(log))
    }
  }

  private func losses(_ log: [LogLine], _ event: String = "train") -> [Float] {
    log.filter { $0.event == event }.compactMap(\.loss)
  }

  /// Training is another, validation before it the same; the header and the log say so.
  @Test func trainingDropsAndValidationDoesNot() throws {
    let (off, on) = (try train([]), try train(["--dropout", "0.2"]))
    #expect(on.start["dropout"] as? Double == 0.2 && off.start["dropout"] as? Double == 0)
    #expect(on.run.lines.contains { $0.hasPrefix("optimizer") && $0.contains("dropout 0.2") })
    #expect(!off.run.lines.contains { $0.hasPrefix("optimizer") && $0.contains("dropout") })
    #expect(losses(on.log).count == 4 && zip(losses(on.log), losses(off.log)).allSatisfy { $0 != $1 })
    #expect(losses(on.log, "validation")[0] == losses(off.log, "validation")[0])
    // 0 is off; the seed draws masks, samples and nothing else of a checkpoint's run.
    #expect(losses(try train(["--dropout", "0"]).log) == losses(off.log))
    #expect(losses(try train(["--dropout", "0.2", "--seed", "2"]).log) != losses(on.log))
  }

  /// On one batch, at a rate that leaves the parameters as they are: two passes to a step are the passes of two steps.
  @Test func passesAreCountedOverAllBatches() throws {
    let still = ["--dropout", "0.2", "--overfit-one-batch", "--learning-rate", "1e-30", "--val-every", "0"]
    let single = losses(
      try train(still + ["--gradient-accumulation", "1", "--steps", "8"]).log)
    #expect(Set(single).count == 8)
    let pairs = stride(from: 0, to: 8, by: 2).map { Float((Double(single[$0]) + Double(single[$0 + 1])) / 2) }
    #expect(losses(try train(still).log) == pairs)
  }

  @Test(arguments: ["fp32", "bf16"]) func theSameWhateverComputesIt(_ precision: String) throws {
    let options = ["--dropout", "0.2", "--precision", precision]
    let expected = losses(try train(options + ["--threads", "1"]).log)
    for other in [
      ["--threads", "2"], ["--threads", "8"], ["--isa", "portable"], ["--recompute", "elementwise"],
      ["--recompute", "blocks"],
    ] {
      #expect(losses(try train(options + other).log) == expected, "\(other)")
    }
  }

  @Test(arguments: ["fp32", "bf16"]) func aResumedRunEndsAsOneThatWasNot(_ precision: String) throws {
    try TemporaryDirectory.with { directory in
      let options = ["--dropout", "0.25", "--precision", precision, "--keep", "9"]
      let run = try Executable.run(
        TrainCase.savedArguments(steps: 9, saveEvery: 3) + options, in: directory)
      #expect(run.exitCode == 0, "\(run.errors)")
      let whole = try SavedRun(directory).content(9)
      for step in [6, 9] {
        try FileManager.default.removeItem(at: directory.appending(path: "run/step-0000000\(step)"))
      }
      let resume = ["train", "--save", "run", "--resume"]
      for other in ["0", "0.2"] {
        let refused = try Executable.run(resume + ["--dropout", other], in: directory)
        expectRefusal(refused, "dropout", "0.25")
      }
      let resumed = try Executable.run(resume + ["--threads", "2"], in: directory)
      #expect(resumed.exitCode == 0, "\(resumed.errors)")
      #expect(try SavedRun(directory).content(9) == whole)
      let inspected = try Executable.run(["inspect", "run"], in: directory)
      #expect(inspected.output.contains(/dropout\s+0.25/), "\(inspected.output)")
    }
  }

  /// Quotients of the loss with the same masks.
  @Test(arguments: ["fp32", "bf16"]) func gradientsAgreeWithQuotients(_ precision: String) throws {
    let (run, _, _) = try train(["--dropout", "0.3", "--gradient-check", "32", "--precision", precision])
    #expect(run.exitCode == 0 && run.lines.count { $0.hasSuffix("  ok") } == 32, "\(run.errors)\(run.output)")
  }

  @Test(arguments: [
    ("1", "--dropout should be at least 0 and below 1, but is 1.0"),
    ("-0.1", "--dropout should be at least 0 and below 1, but is -0.1"),
    ("nan", "--dropout should be at least 0 and below 1, but is nan"),
    ("inf", "--dropout should be at least 0 and below 1, but is inf"),
    ("abc", "'abc' is invalid for '--dropout <x>'"),
  ])
  func wrongValues(_ value: String, _ fragment: String) throws {
    expectRefusal(try train(["--dropout", value]).run, exitCode: 64, fragment)
  }
}
