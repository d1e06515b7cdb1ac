import Foundation
import TestSupport
import Testing

/// The options that say how gradients become steps, as a user types them.
@Suite struct OptimizerOptionTests {
  /// Runs the reference case `tiny` for a few steps, with a log.
  private func train(_ more: [String]) throws -> (run: Run, start: [String: Any], losses: [Float]) {
    try TemporaryDirectory.with { directory in
      let log = directory.appending(path: "log.jsonl")
      let tiny = TrainCase.tiny
      let run = try Executable.run(
        [
          "train", "--checkpoint", tiny.model.path, "--train-data", tiny.tokensInt32.path, "--batch-size",
          "\(tiny.batchSize)", "--sequence-length", "\(tiny.sequenceLength)", "--steps", "4",
          "--sample-every",
          "0", "--log", log.path,
        ] + more, in: directory)
      guard run.exitCode == 0 else { return (run, [:], []) }
      let first = try #require(try String(contentsOf: log, encoding: .utf8).split(separator: "\n").first)
      let start = try JSONSerialization.jsonObject(with: Data(first.utf8)) as? [String: Any]
      return (
        run, try #require(start), try TrainCase.log(log).filter { $0.event == "train" }.compactMap(\.loss)
      )
    }
  }

  private func line(_ name: String, of run: Run) throws -> String {
    String(try #require(run.lines.first { $0.hasPrefix(name) }, "\(run.output)"))
  }

  // MARK: - What is told

  @Test func theLogBeginsWithEveryOption() throws {
    let (_, start, _) = try train([
      "--optimizer", "sgd", "--momentum", "0.5", "--nesterov", "--learning-rate", "1e-3", "--weight-decay",
      "0.1",
      "--decay", "matrices", "--gradient-clip", "2", "--schedule", "linear", "--warmup-steps", "1",
      "--min-learning-rate", "1e-4", "--gradient-accumulation", "2", "--val-every", "3", "--val-batches", "5",
      "--sample-length", "9", "--recompute", "blocks", "--seed", "18446744073709551615", "--threads", "2",
      "--isa", "portable", "--numa", "local", "--activation", "gelu-quintic",
    ])
    let texts = [
      "optimizer": "sgd", "decay": "matrices", "schedule": "linear", "recompute": "blocks", "isa": "portable",
      "numa": "local", "activation": "gelu-quintic",
    ]
    for (name, value) in texts { #expect(start[name] as? String == value, "\(name)") }
    let numbers = [
      "momentum": 0.5, "nesterov": 1, "learning_rate": 1e-3, "weight_decay": 0.1, "gradient_clip": 2,
      "warmup_steps": 1, "min_learning_rate": 1e-4, "gradient_accumulation": 2, "steps": 4, "val_every": 3,
      "val_batches": 5, "sample_every": 0, "sample_length": 9, "threads": 2, "batch_size": 2,
      "sequence_length": Double(TrainCase.tiny.sequenceLength),
    ]
    for (name, value) in numbers { #expect((start[name] as? NSNumber)?.doubleValue == value, "\(name)") }
    #expect((start["seed"] as? NSNumber)?.uint64Value == .max)
    #expect(start["train_data"] as? [String] == [TrainCase.tiny.tokensInt32.path])
    #expect(start["val_data"] as? [String] == [])
    #expect((start["tokenizer"] as? String)?.hasPrefix("none") == true)
    for name in ["beta1", "beta2", "epsilon"] {
      #expect(start[name] is NSNull, "\(name) is another optimizer's")
    }
  }

  @Test func defaultsAreThoseOfTheHelp() throws {
    let (run, start, _) = try train([])
    let numbers = [
      "learning_rate": 1e-4, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "weight_decay": 0,
      "gradient_clip": 0,
    ]
    for (name, value) in numbers { #expect((start[name] as? NSNumber)?.doubleValue == value, "\(name)") }
    #expect(start["optimizer"] as? String == "adamw" && start["decay"] as? String == "all")
    #expect(
      try line("optimizer", of: run).hasSuffix(
        "adamw, learning rate 0.0001, beta1 0.9, beta2 0.999, epsilon 1e-08"))
    let sgd = try train(["--optimizer", "sgd"])
    #expect(try line("optimizer", of: sgd.run).hasSuffix("sgd, learning rate 0.01, momentum 0.9, nesterov 0"))
  }

  /// What it keeps for each parameter is what the header names and counts.
  @Test func theHeaderCountsWhatTheOptimizerKeeps() throws {
    let options = [
      [], ["--optimizer", "sgd"], ["--optimizer", "sgd", "--momentum", "0"],
    ]
    let lines = try options.map { try line("memory", of: try train($0).run) }
    #expect(lines[0].contains(": parameters, gradients, first moment, second moment, "), "\(lines[0])")
    #expect(lines[1].contains(": parameters, gradients, momentum, "), "\(lines[1])")
    #expect(
      lines[2].contains(" of activations (recompute: none)") && !lines[2].contains("moment"), "\(lines[2])")
    let sizes = lines.compactMap { $0.firstMatch(of: /([0-9.]+) KiB:/).flatMap { Double($0.output.1) } }
    #expect(sizes.count == 3 && sizes[0] > sizes[1] && sizes[1] > sizes[2], "\(lines)")
  }

  @Test func everyOptionChangesTheSteps() throws {
    let sgd = ["--optimizer", "sgd", "--learning-rate", "0.1"]
    let muon = ["--optimizer", "muon"]
    let runs = [
      [], ["--learning-rate", "1e-2"], ["--beta1", "0.5"], ["--beta2", "0.5"], ["--epsilon", "1e-2"],
      ["--weight-decay", "10"], ["--weight-decay", "10", "--decay", "matrices"], ["--schedule", "cosine"],
      ["--schedule", "linear"], ["--schedule", "linear", "--min-learning-rate", "9e-5"],
      ["--warmup-steps", "3"], ["--warmup-steps", "3", "--warmup", "nanogpt"],
      ["--schedule", "wsd", "--decay-steps", "3"],
      sgd, sgd + ["--momentum", "0"], sgd + ["--nesterov"], sgd + ["--weight-decay", "1"],
      sgd + ["--weight-decay", "1", "--decay", "matrices"], sgd + ["--gradient-clip", "0.5"],
      sgd + ["--gradient-clip", "0.5", "--nesterov"],
      muon, muon + ["--momentum", "0.5"], muon + ["--beta1", "0.5"], muon + ["--weight-decay", "10"],
      muon + ["--weight-decay", "10", "--decay", "matrices"], muon + ["--gradient-clip", "1e-2"],
    ]
    var seen: [[Float]: [String]] = [:]
    for options in runs {
      let (run, _, losses) = try train(options)
      #expect(losses.count == 4, "\(options): \(run.errors)")
      #expect(seen[losses] == nil, "\(options) trains as \(seen[losses] ?? [])")
      seen[losses] = options
    }
    // A limit that no gradient reaches, and what are the defaults, change nothing.
    let first = try train([]).losses
    for options in [
      ["--gradient-clip", "1e30"], ["--gradient-clip", "0"], ["--optimizer", "adamw", "--beta1", "0.9"],
    ] {
      #expect(try train(options).losses == first, "\(options)")
    }
  }

  // MARK: - What is refused

  private static let sgd = ["--optimizer", "sgd"]

  /// One sentence that names the option, what is expected and what was found.
  @Test(
    arguments: [
      (["--optimizer", "adam"], ["--optimizer", "adam'", "adamw", "sgd", "muon"]),
      (["--decay", "vectors"], ["--decay", "vectors", "all", "matrices"]),
      (["--schedule", "step"], ["--schedule", "step", "constant", "cosine", "linear"]),
      (["--beta1", "0.5"] + sgd, ["--beta1", "option of adamw and muon", "is sgd", "--optimizer adamw"]),
      (["--beta2", "0.5"] + sgd, ["--beta2", "option of adamw"]),
      (["--epsilon", "1"] + sgd, ["--epsilon", "option of adamw"]),
      (["--momentum", "0.5"], ["--momentum", "option of sgd", "is adamw", "--optimizer sgd"]),
      (["--nesterov"], ["--nesterov", "option of sgd"]),
      (["--nesterov", "--momentum", "0"] + sgd, ["--nesterov", "--momentum above 0", "found 0"]),
      (["--momentum", "1"] + sgd, ["--momentum should be", "below 1", "1.0"]),
      (["--momentum", "-0.1"] + sgd, ["--momentum should be", "at least 0", "-0.1"]),
      (["--momentum", "0.99999999999"] + sgd, ["--momentum should be", "float32", "0.99999999999"]),
      (["--momentum", "nan"] + sgd, ["--momentum should be", "nan"]),
      (["--beta1", "1"], ["--beta1 should be", "below 1"]),
      (["--beta2", "1"], ["--beta2 should be", "below 1"]),
      (["--epsilon", "0"], ["--epsilon should be", "above 0"]),
      (["--epsilon", "1e-60"], ["--epsilon should be", "float32", "1e-60"]),
      (["--learning-rate", "-3"], ["--learning-rate should be", "from 0 up", "-3"]),
      (["--learning-rate", "nan"], ["--learning-rate should be", "nan"]),
      (["--learning-rate", "inf"], ["--learning-rate should be", "inf"]),
      (["--learning-rate", "fast"], ["--learning-rate", "fast", "a number, such as"]),
      (["--weight-decay", "-1"], ["--weight-decay should be", "-1"]),
      (["--weight-decay", "1e39"], ["--weight-decay should be", "float32", "1e+39"]),
      (["--decay", "matrices"], ["--decay", "--weight-decay"]),
      (["--gradient-clip", "-1"], ["--gradient-clip should be", "-1"]),
      (["--gradient-clip", "inf"], ["--gradient-clip should be", "inf"]),
      (["--min-learning-rate", "1e-5"], ["--min-learning-rate", "constant", "--schedule cosine"]),
      (
        ["--min-learning-rate", "1", "--schedule", "cosine"],
        ["--min-learning-rate should be", "0...0.001, the learning rate", "1.0"]
      ),
      (
        ["--min-learning-rate", "0.05", "--schedule", "cosine"] + sgd,
        ["--min-learning-rate should be", "0...0.01, the learning rate"]
      ),
      (["--min-learning-rate", "nan", "--schedule", "wsd"], ["--min-learning-rate should be", "nan"]),
      (["--min-learning-rate", "-1e-5", "--schedule", "wsd"], ["--min-learning-rate should be", "-1e-05"]),
      (
        ["--min-learning-rate", "low", "--schedule", "wsd"],
        ["--min-learning-rate", "low", "a number, such as"]
      ),
      (["--warmup-steps", "5"], ["--warmup-steps should be at most the 4 steps of the run, but is 5"]),
      (["--warmup", "nanogpt"], ["--warmup", "--warmup-steps, found none"]),
      (["--warmup", "gpt4", "--warmup-steps", "2"], ["--warmup", "gpt4", "llmc", "nanogpt"]),
      (["--decay-steps", "2"], ["--decay-steps", "option of wsd", "is constant"]),
      (["--decay-steps", "0", "--schedule", "wsd"], ["--decay-steps should be at least 1, but is 0"]),
      (["--decay-steps", "5", "--schedule", "wsd"], ["--decay-steps should be at most 4,", "but is 5"]),
      (
        ["--decay-steps", "2", "--warmup-steps", "3", "--schedule", "wsd"],
        ["--decay-steps should be at most 1, the steps of the run after the warm-up, but is 2"]
      ),
      (
        ["--warmup-steps", "4", "--schedule", "wsd"],
        ["--decay-steps should be at most 0", "1, a fifth of all"]
      ),
      (["--seed", "-1"], ["--seed", "-1", "whole number from 0"]),
    ] as [([String], [String])])
  func wrongValuesAndCombinations(_ options: [String], _ fragments: [String]) throws {
    let (run, _, _) = try train(options)
    expectRefusal(run, exitCode: 64)
    for fragment in fragments { #expect(run.errors.contains(fragment), "\(run.errors)") }
    #expect(run.output.isEmpty)
  }

  /// How many steps epochs are is known when the data are; of the built-in corpus there are more than of others.
  @Test func theScheduleIsComparedWithTheStepsThatHold() throws {
    let tiny = TrainCase.tiny
    try TemporaryDirectory.with { directory in
      let data = ["--checkpoint", tiny.model.path, "--train-data", tiny.tokensInt32.path]
      let size = ["--batch-size", "\(tiny.batchSize)", "--sequence-length", "\(tiny.sequenceLength)"]
      let warmup = ["--warmup-steps", "41"]
      // Ten batches.
      expectRefusal(
        try Executable.run(["train"] + data + size + warmup + ["--epochs", "4"], in: directory),
        exitCode: 64, "--warmup-steps should be at most the 40 steps of the run, but is 41")
      expectRefusal(
        try Executable.run(["train"] + data + size + warmup, in: directory), exitCode: 64,
        "at most the 40 steps of the run")
      let fits = try Executable.run(["train"] + data + size + warmup + ["--epochs", "5"], in: directory)
      #expect(fits.exitCode == 0, "\(fits.errors)")
      expectRefusal(
        try Executable.run(["train", "--warmup-steps", "701"], in: directory), exitCode: 64,
        "at most the 700 steps of the run")
    }
  }

  @Test func theHeaderSaysHowTheRateMoves() throws {
    let run = try train([
      "--schedule", "wsd", "--warmup-steps", "2", "--warmup", "nanogpt", "--decay-steps", "2",
    ])
    #expect(
      try line("optimizer", of: run.run).contains(
        "0.0001 falling to 0 (wsd, the last 2 steps) after 2 warm-up steps (nanogpt's), beta1"))
    #expect(run.start["warmup"] as? String == "nanogpt" && run.start["decay_steps"] as? Int == 2)
  }

  /// Above the default of a model of one's own, below that of the built-in corpus: known before anything is made.
  @Test func theLowestRateIsComparedWithTheRateThatHolds() throws {
    let options = ["--schedule", "cosine", "--min-learning-rate", "5e-4"]
    let (run, _, _) = try train(options)
    expectRefusal(run, exitCode: 64, "--min-learning-rate should be", "0...0.0001, the learning rate")
    try TemporaryDirectory.with { directory in
      let log = directory.appending(path: "log.jsonl")
      let refused = try Executable.run(
        TrainCase.arguments() + options + ["--log", log.path], in: directory)
      #expect(refused.exitCode == 64 && !FileManager.default.fileExists(atPath: log.path))
      let builtIn = try Executable.run(
        ["train", "--steps", "1", "--val-every", "0", "--sample-every", "0"] + options, in: directory)
      #expect(builtIn.exitCode == 0, "\(builtIn.errors)")
    }
  }

  @Test func helpNamesEveryOptionWithItsDefault() throws {
    try TemporaryDirectory.with { directory in
      let help = try Executable.run(["train", "--help"], in: directory)
      let text = help.output.split(whereSeparator: \.isWhitespace).joined(separator: " ")
      for fragment in [
        "OPTIMIZER: --optimizer", "default: adamw)", "(default: 1e-4; built-in corpus: 1e-3; sgd: 1e-2)",
        "adamw and muon: how much", "sgd and muon: how much", "--nesterov Only sgd", "(default: 0.999)",
        "(default: 1e-8)",
        "(default: all) (values: all, matrices)", "--gradient-clip <x>", "--min-learning-rate <x>",
        "(values: constant, cosine, linear, wsd; default: constant)",
      ] {
        #expect(text.contains(fragment), "\(fragment)")
      }
    }
  }
}
