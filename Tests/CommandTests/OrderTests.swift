import Foundation
import TestSupport
import Testing

/// `--order` and `--epochs`, as a user types them.
@Suite struct OrderTests {
  private static let tiny = TrainCase.tiny
  private static let orders = ["sequential", "random", "shuffled"]

  /// Runs the case with a log; without `--steps`.
  private func train(_ more: [String]) throws -> (run: Run, start: [String: Any], losses: [Float]) {
    try TemporaryDirectory.with { directory in
      let log = directory.appending(path: "log.jsonl")
      let run = try Executable.run(
        [
          "train", "--checkpoint", Self.tiny.model.path, "--train-data", Self.tiny.tokensInt32.path,
          "--batch-size", "2", "--sequence-length", "\(Self.tiny.sequenceLength)", "--sample-every", "0",
          "--log", log.path,
        ] + more, in: directory)
      #expect(run.exitCode == 0, "\(run.errors)")
      let first = try #require(try String(contentsOf: log, encoding: .utf8).split(separator: "\n").first)
      let start = try JSONSerialization.jsonObject(with: Data(first.utf8)) as? [String: Any]
      let events = try TrainCase.log(log)
      return (run, try #require(start), events.filter { $0.event == "train" }.compactMap(\.loss))
    }
  }

  @Test func eachOrderHasLossesOfItsOwnWhateverTheThreads() throws {
    var seen: [[Float]: String] = [:]
    for order in Self.orders {
      let runs = try ["1", "2", "3"].map {
        try train(["--order", order, "--steps", "6", "--threads", $0])
      }
      #expect(Set(runs.map(\.losses)).count == 1 && runs[0].losses.count == 6)
      #expect(runs[0].start["order"] as? String == order)
      seen[runs[0].losses] = order
    }
    #expect(Set(seen.values) == Set(Self.orders))
    // The default is that of the original, and another seed another order.
    #expect(try seen[train(["--steps", "6"]).losses] == "sequential")
    for order in ["random", "shuffled"] {
      #expect(try seen[train(["--steps", "6", "--order", order, "--seed", "5"]).losses] == nil)
    }
  }

  /// Its first batches, whatever training's order.
  @Test func validationIsInTheOrderOfTheFiles() throws {
    let losses = try Self.orders.map { order in
      try TemporaryDirectory.with { directory in
        let log = directory.appending(path: "log.jsonl")
        let run = try Executable.run(
          TrainCase.arguments() + [
            "--order", order, "--steps", "1", "--val-batches", "2", "--sample-every", "0", "--log", log.path,
          ], in: directory)
        #expect(run.exitCode == 0, "\(run.errors)")
        return try #require(try TrainCase.log(log).first { $0.event == "validation" }?.loss)
      }
    }
    #expect(Set(losses).count == 1, "\(losses)")
  }

  /// 20 sequences of 11 tokens, 2 a batch: ten batches.
  @Test func epochsAreSteps() throws {
    for order in Self.orders {
      let (run, start, losses) = try train([
        "--order", order, "--epochs", "2", "--gradient-accumulation", "3", "--schedule", "linear",
      ])
      #expect(losses.count == 6)
      #expect((start["steps"] as? Int) == 6 && (start["epochs"] as? Int) == 2)
      let line = run.lines.first { $0.hasPrefix("training") } ?? ""
      #expect(line.hasSuffix("2 epochs in 6 steps"), "\(line)")
      #expect(line.contains("in \(order) order") == (order != "sequential"), "\(line)")
    }
  }

  /// Stopped after every step there is, with two batches to a step and several epochs in the run.
  @Test(arguments: ["random", "shuffled"])
  func aRunGoesOnFromEveryStep(order: String) throws {
    let last = 24
    let options = ["--order", order, "--keep", "100"]
    try TemporaryDirectory.with { directory in
      let run = try Executable.run(
        TrainCase.savedArguments(steps: last, saveEvery: 1) + options, in: directory)
      #expect(run.exitCode == 0, "\(run.errors)")
      let saved = SavedRun(directory)
      let whole = try saved.content(last)
      for step in stride(from: last - 1, to: 0, by: -2) {
        for name in saved.steps.filter({ $0 > "step-000000" + (step < 10 ? "0\(step)" : "\(step)") }) {
          try FileManager.default.removeItem(at: saved.url.appending(path: name))
        }
        let resumed = try Executable.run(
          ["train", "--save", "run", "--resume", "--save-every", "0", "--threads", "\(1 + step % 3)"],
          in: directory)
        #expect(resumed.exitCode == 0, "\(resumed.errors)")
        #expect(try saved.content(last) == whole, "from step \(step)")
      }
    }
  }

  /// Each takes the other's place.
  @Test func epochsAndStepsMayBeGivenAnew() throws {
    try TemporaryDirectory.with { directory in
      let first = [
        "train", "--checkpoint", Self.tiny.model.path, "--train-data", Self.tiny.tokensInt32.path,
        "--batch-size", "2", "--sequence-length", "\(Self.tiny.sequenceLength)", "--order", "shuffled",
        "--epochs=1", "--save", "run",
      ]
      let resume = ["train", "--save", "run", "--resume"]
      for (arguments, last) in [
        (first, "10"), (resume + ["--steps", "12"], "12"), (resume + ["--epochs", "2"], "20"), (resume, "20"),
      ] {
        let run = try Executable.run(arguments, in: directory)
        #expect(run.exitCode == 0, "\(run.errors)")
        #expect(SavedRun(directory).steps.last == "step-000000\(last)")
      }
    }
  }
}
