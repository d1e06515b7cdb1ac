import Foundation
import GPT2
import TestSupport
import Testing

/// `--precision bf16` and `bf16-amx` of train, evaluate and generate.
@Suite struct PrecisionTests {
  private func lines(_ run: Run, _ name: String) -> [Substring] {
    run.output.split(separator: "\n").filter {
      $0.hasPrefix(name.padding(toLength: 12, withPad: " ", startingAt: 0))
    }
  }

  /// Header, log and the run's own state say it, also in fp32; each has losses of its own, or at least norms, which are
  /// logged with more digits: a float may hide what another order of sums adds.
  @Test func aRunSaysItsPrecision() throws {
    try TemporaryDirectory.with { directory in
      var steps: [[[Double]]] = []
      for (index, precision) in ["fp32", "bf16", "bf16-amx"].enumerated() {
        let log = directory.appending(path: "\(precision).jsonl")
        let run = try Executable.run(
          TrainCase.arguments() + ["--log", log.path, "--sample-every", "0"]
            + (index == 0 ? [] : ["--precision", precision]), in: directory)
        #expect(run.exitCode == 0 && run.errors.isEmpty, "\(run.errors)")
        #expect(lines(run, "precision").first?.contains(" \(precision)") == true, "\(run.output)")
        #expect(lines(run, "memory").first?.contains("weights in bf16") == (index > 0))
        let text = try String(contentsOf: log, encoding: .utf8)
        #expect(text.split(separator: "\n").first?.contains("\"precision\":\"\(precision)\"") == true)
        steps.append(
          try TrainCase.log(log).filter { $0.event == "train" }.map {
            [Double(try #require($0.loss)), try #require($0.gradientNorm)]
          })
      }
      #expect(steps.allSatisfy { $0.count == 10 } && Set(steps).count == 3)
    }
  }

  /// Multiply-adds do it where no unit is, as with every set but the fastest: a sentence, and the same bits.
  @Test func emulationIsSaid() throws {
    for (precision, reason) in [
      ("bf16", "portable has no unit"), ("bf16-amx", "AMX is used beside avx512, not beside portable"),
    ] {
      try TemporaryDirectory.with { directory in
        var losses: [[Float]] = []
        for set in ["portable", "auto"] {
          let log = directory.appending(path: "\(set).jsonl")
          let run = try Executable.run(
            TrainCase.arguments() + ["--log", log.path, "--precision", precision, "--isa", set], in: directory
          )
          #expect(run.exitCode == 0, "\(run.errors)")
          if set == "portable" {
            #expect(
              lines(run, "precision").first?.contains("\(precision), emulated: \(reason)") == true,
              "\(run.output)")
          }
          losses.append(try TrainCase.log(log).compactMap { $0.event == "train" ? $0.loss : nil })
        }
        #expect(losses[0] == losses[1])
      }
    }
  }

  /// Resumed without a word it goes on in its precision, and ends with the bits of a run that was not interrupted; another
  /// precision is refused, either way.
  @Test func aResumedRunKeepsItsPrecision() throws {
    for (precision, other) in [
      ("bf16", "fp32"), ("fp32", "bf16"), ("bf16-amx", "bf16"), ("bf16", "bf16-amx"),
    ] {
      try TemporaryDirectory.with { directory in
        let options = ["--precision", precision]
        let whole = try Executable.run(
          TrainCase.savedArguments(steps: 8, saveEvery: 4) + options, in: directory)
        #expect(whole.exitCode == 0, "\(whole.errors)")
        let content = try SavedRun(directory).content(8)
        try FileManager.default.removeItem(at: directory.appending(path: "run/step-00000008"))
        let resume = ["train", "--save", "run", "--resume"]
        let refused = try Executable.run(resume + ["--precision", other], in: directory)
        #expect(
          refused.exitCode == 1 && refused.errors.contains("precision should stay \(precision)"),
          "\(refused.errors)")
        let run = try Executable.run(resume + ["--threads", "1"], in: directory)
        #expect(run.exitCode == 0 && lines(run, "precision").first?.contains(precision) == true)
        #expect(try SavedRun(directory).content(8) == content)
      }
    }
  }

  /// The losses of evaluation are near float32's and not the same; the table and the JSON say of which it is.
  @Test func evaluationHasBoth() throws {
    try TemporaryDirectory.with { directory in
      let tiny = TrainCase.tiny
      let arguments = ["evaluate", "--checkpoint", tiny.model.path, "--data", tiny.tokensInt32.path]
      var losses: [Double] = []
      for precision in ["fp32", "bf16", "bf16-amx"] {
        let run = try Executable.run(arguments + ["--precision", precision, "--json"], in: directory)
        #expect(run.exitCode == 0, "\(run.errors)")
        let object = try #require(
          try JSONSerialization.jsonObject(with: Data(run.output.utf8)) as? [String: Any])
        #expect(object["precision"] as? String == precision)
        losses.append(try #require(object["loss"] as? Double))
      }
      // Operands are off by 2⁻⁹ of themselves at the most: a loss of 4 by far less than that.
      #expect(losses[0] != losses[1] && abs(losses[0] - losses[1]) < 0x1p-9 * losses[0])
      #expect(losses[2] != losses[0] && abs(losses[0] - losses[2]) < 0x1p-9 * losses[0])
      let table = try Executable.run(arguments + ["--precision", "bf16"], in: directory)
      #expect(lines(table, "precision").first?.contains("bf16") == true, "\(table.output)")
    }
  }

  /// The tokens and log-probabilities of passes over the whole text in the same precision, on any number of threads and
  /// any instruction set; beyond the context, too.
  @Test(arguments: [OperandPrecision.bf16, .bf16AMX]) func generationHasIt(_ precision: OperandPrecision)
    throws
  {
    try InferenceCase.with { directory in
      let arguments = [
        "generate", "--tokens", "1,2,3", "--samples", "2", "--ignore-end-of-text", "--json",
      ]
      func lines(_ more: [String], length: Int = 22) throws -> [SampleLine] {
        let run = try Executable.run(arguments + ["--length", "\(length)"] + more, in: directory)
        #expect(run.exitCode == 0 && run.errors.isEmpty, "\(run.errors)")
        return try SampleLine.read(run)
      }
      let option = ["--precision", precision.rawValue]
      let (found, exact) = (try lines(option), try lines([]))
      let model = try InferenceCase.model(precision)
      for line in found {
        try model.forward(line.tokens, batchSize: 1, sequenceLength: line.tokens.count)
        let logits = try model.logits()
        let expected = (2..<21).map { position in
          let row = Array(logits[position * TestVocabulary.size..<(position + 1) * TestVocabulary.size])
          return Sampler.logProbability(of: Int(line.tokens[position + 1]), row.span)
        }
        #expect(line.tokens.count == 22 && line.logProbabilities == expected)
      }
      #expect(found.map(\.logProbabilities) != exact.map(\.logProbabilities), "another precision")
      for more in [["--threads", "1", "--isa", "portable"], ["--threads", "3"], ["--isa", "portable"]] {
        #expect(try lines(option + more) == found, "\(more)")
      }
      let beyond = option + ["--past-context", "slide"]
      #expect(
        try lines(beyond, length: 30)
          == lines(beyond + ["--threads", "1", "--isa", "portable"], length: 30))
    }
  }

  /// What training shows is what `generate` gives of the saved model in the run's precision.
  @Test func samplesAreThoseOfGenerate() throws {
    try TemporaryDirectory.with { directory in
      let log = directory.appending(path: "log.jsonl")
      let run = try Executable.run(
        TrainCase.savedArguments(steps: 4, saveEvery: 4) + ["--precision", "bf16", "--log", log.path],
        in: directory)
      #expect(run.exitCode == 0, "\(run.errors)")
      let sample = try #require(try TrainCase.log(log).last { $0.event == "sample" }?.tokens)
      let generated = try Executable.run(
        [
          "generate", "--checkpoint", "run", "--tokens", "\(sample[0])", "--length", "9",
          "--ignore-end-of-text", "--precision", "bf16", "--json",
        ], in: directory)
      #expect(generated.exitCode == 0, "\(generated.errors)")
      #expect(try SampleLine.read(generated)[0].tokens == sample)
    }
  }

  @Test func anUnknownOneIsRefused() throws {
    let run = try Executable.run(
      TrainCase.arguments() + ["--precision", "fp16"], in: FileManager.default.temporaryDirectory)
    #expect(run.exitCode == 64 && run.errors.contains("fp16"), "\(run.errors)")
  }
}
