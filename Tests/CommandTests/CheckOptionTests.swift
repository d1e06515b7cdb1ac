import Foundation
import GPT2
import TestSupport
import Testing

/// The options that watch over a run, as a user types them.
@Suite struct CheckOptionTests {
  private func train(_ more: [String]) throws -> (run: Run, log: [LogLine]) {
    try TemporaryDirectory.with { directory in
      let log = directory.appending(path: "log.jsonl")
      let run = try Executable.run(
        TrainCase.arguments() + ["--sample-every", "0", "--log", log.path] + more, in: directory)
      return (run, run.exitCode == 0 ? try TrainCase.log(log) : [])
    }
  }

  private func losses(_ log: [LogLine]) -> [Float] { log.filter { $0.event == "train" }.compactMap(\.loss) }

  // MARK: - One batch

  @Test func oneBatchIsLearntByHeart() throws {
    let options = ["--learning-rate", "1e-2", "--steps", "60", "--weight-decay", "0", "--overfit-one-batch"]
    let (run, log) = try train(options)
    #expect(run.exitCode == 0, "\(run.errors)")
    let all = losses(log)
    #expect(all.count == 60 && all[59] < 0.2 * all[0], "\(all)")
    #expect(run.lines.contains { $0.hasPrefix("training") && $0.hasSuffix("the first one alone") })
    // In each order the batch that comes first; with accumulation, the same one again.
    let twice = try train(options + ["--steps", "3", "--gradient-accumulation", "20"])
    #expect(zip(losses(twice.log), all).allSatisfy { abs($0 - $1) < 1e-4 } && losses(twice.log).count == 3)
    let random = try train(options + ["--steps", "3", "--order", "random"])
    #expect(losses(random.log)[0] != all[0])
  }

  @Test func oneBatchGoesOnAsOne() throws {
    try TemporaryDirectory.with { directory in
      let arguments = TrainCase.savedArguments(steps: 8, saveEvery: 4) + ["--overfit-one-batch"]
      #expect(try Executable.run(arguments, in: directory).exitCode == 0)
      let whole = try SavedRun(directory).content(8)
      try FileManager.default.removeItem(at: directory.appending(path: "run/step-00000008"))
      #expect(try Executable.run(["train", "--save", "run", "--resume"], in: directory).exitCode == 0)
      #expect(try SavedRun(directory).content(8) == whole)
    }
  }

  // MARK: - Spikes

  /// 139 batches of the same three tokens in turn, and one of others.
  @Test(arguments: ["loss", "norm"]) func aSkippedUpdateIsSaid(_ cause: String) throws {
    try TemporaryDirectory.with { directory in
      var tokens = (0..<(140 * 11 + 1)).map { Int32($0 % 3) }
      for position in 132 * 11..<133 * 11 { tokens[position] = Int32(3 + position * 7 % 26) }
      let (data, log) = (directory.appending(path: "tokens.bin"), directory.appending(path: "log.jsonl"))
      try Data(tokens.flatMap { bytes($0) }).write(to: data)
      let run = try Executable.run(
        [
          "train", "--checkpoint", TrainCase.tiny.model.path, "--train-data", data.path, "--token-type",
          "int32",
          "--batch-size", "1", "--sequence-length", "11", "--steps", "140", "--learning-rate", "1e-2",
          "--skip-update-\(cause)-z", "5", "--sample-every", "0", "--print-every", "0", "--log", log.path,
        ], in: directory)
      #expect(run.exitCode == 0, "\(run.errors)")
      #expect(
        run.lines.contains {
          $0.hasPrefix("optimizer") && $0.hasSuffix("updates skipped above a \(cause) of z 5")
        })
      #expect(run.lines.last?.hasSuffix(", 1 update skipped") == true)
      let steps = try TrainCase.log(log).filter { $0.event == "train" }
      #expect(steps.count == 140 && steps.prefix(128).allSatisfy { $0.lossZ == nil && $0.normZ == nil })
      #expect(steps.filter { $0.skipped != nil }.map(\.step) == [132])
      let spike = try #require(steps.first { $0.skipped == cause })
      let (lossZ, normZ) = (try #require(spike.lossZ), try #require(spike.normZ))
      #expect(lossZ > 10 && normZ > lossZ + 0.1)
      let said = run.lines.filter { $0.hasPrefix("step") }
      let score = String(format: "%.1f", cause == "loss" ? lossZ : normZ)
      #expect(said.count == 1 && said[0].hasPrefix("step  132"))
      #expect(said[0].contains("update skipped: the \(cause) is \(score) standard deviations"), "\(said)")
    }
  }

  // MARK: - Gradients

  @Test(arguments: ["gelu", "gelu-erf", "gelu-quintic"])
  func gradientsAgreeWithQuotients(activation: String) throws {
    let options = ["--gradient-check", "32", "--activation", activation, "--steps", "2"]
    let (run, log) = try train(options)
    #expect(run.exitCode == 0, "\(run.errors)")
    let rows = run.lines.filter { $0.hasSuffix("  ok") }
    #expect(rows.count == 32 && rows[0].hasPrefix("wte[") && rows[31].hasPrefix("lnfb["), "\(run.output)")
    // Training begins as if nothing had been.
    #expect(try losses(train(Array(options.dropFirst(2))).log) == losses(log))
  }

  @Test(arguments: ["bf16", "bf16-amx"]) func bfloat16HasWiderTolerances(_ precision: String) throws {
    let (run, _) = try train(["--gradient-check", "16", "--precision", precision, "--steps", "1"])
    #expect(run.exitCode == 0 && run.lines.count { $0.hasSuffix("  ok") } == 16, "\(run.errors)\(run.output)")
  }

  /// Embeddings below 10⁻⁴ and a last norm of 10⁴: logits are of the usual size, but a step of the quotients moves wte by
  /// as much as there is of it, and the loss is no line so far. The table and one sentence say so; nothing is trained.
  @Test func whatIsOffIsNamed() throws {
    try TemporaryDirectory.with { directory in
      let (model, log) = (directory.appending(path: "steep.bin"), directory.appending(path: "log.jsonl"))
      let steep = try TrainCase.tiny.model(threads: 1)
      let (wte, lnfw) = (try #require(steep.parameters["wte"]), try #require(steep.parameters["lnfw"]))
      wte.copy(from: wte.array().map { $0 * 1e-4 })
      lnfw.copy(from: [Float](repeating: 1e4, count: lnfw.count))
      try Checkpoint.write(steep.parameters, to: model.path, context: steep.context)
      let run = try Executable.run(
        TrainCase.arguments(model: model) + ["--gradient-check", "16", "--log", log.path, "--save", "run"],
        in: directory)
      expectRefusal(
        run, "expected gradients within 0.001 of their tensor's largest", "found 1 of 16 off: wte[")
      let rows = run.lines.filter { $0.hasSuffix("  ok") || $0.hasSuffix("  FAIL") }
      #expect(rows.count == 16 && rows[0].hasPrefix("wte[") && rows[0].hasSuffix("  FAIL"), "\(run.output)")
      #expect(try TrainCase.log(log).map(\.event) == ["start", "end"] && SavedRun(directory).steps.isEmpty)
    }
  }

  @Test func largeModelsAreNotChecked() throws {
    try TemporaryDirectory.with { directory in
      let run = try Executable.run(
        [
          "train", "--layers", "1", "--heads", "1", "--channels", "64", "--vocabulary", "50257", "--context",
          "64",
          "--train-data", TrainCase.tiny.tokensInt32.path, "--batch-size", "3", "--sequence-length", "64",
          "--gradient-check", "100", "--save", "run",
        ], in: directory)
      expectRefusal(run, "--gradient-check 100", "small models", "× 192 tokens")
      #expect(SavedRun(directory).steps.isEmpty)
    }
  }

  // MARK: - What is refused

  @Test(arguments: [
    (["--skip-update-loss-z", "-1"], ["--skip-update-loss-z should be at least 0", "-1"]),
    (["--skip-update-norm-z", "12"], ["--skip-update-norm-z should be", "below 11.3", "12"]),
    (["--skip-update-norm-z", "nan"], ["--skip-update-norm-z should be", "nan"]),
    (["--skip-update-loss-z", "much"], ["--skip-update-loss-z", "much", "a number"]),
    (["--gradient-check", "-1"], ["--gradient-check should be at least 0, but is -1"]),
    (["--gradient-check", "all"], ["--gradient-check", "all", "whole number"]),
  ])
  func wrongValues(_ options: [String], _ fragments: [String]) throws {
    let (run, _) = try train(options)
    expectRefusal(run, exitCode: 64)
    for fragment in fragments { #expect(run.errors.contains(fragment), "\(run.errors)") }
  }
}
