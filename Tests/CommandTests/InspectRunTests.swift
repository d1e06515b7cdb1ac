import Foundation
import TestSupport
import Testing

/// `gpt2 inspect` of a run directory.
@Suite struct InspectRunTests {
  private func inspect(_ path: String, in directory: URL) throws -> Run {
    try Executable.run(["inspect", path], in: directory)
  }

  @Test func stepsLossesOptionsAndState() throws {
    try TemporaryDirectory.with { directory in
      let trained = try Executable.run(TrainCase.savedArguments(steps: 10, saveEvery: 5), in: directory)
      #expect(trained.exitCode == 0, "\(trained.errors)")
      let run = try inspect("run", in: directory)
      #expect(run.exitCode == 0 && run.errors.isEmpty, "\(run.errors)")
      let fields = Dictionary(
        run.lines.compactMap {
          $0.firstMatch(of: /^(\S[^ ]*(?: [^ ]+)?) {2,}(\S.*)$/).map { (String($0.1), String($0.2)) }
        }
      ) { first, _ in first }
      #expect(fields["kind"]?.contains("run directory") == true)
      #expect(fields["steps"] == "10 of 10 done, 10 updates")
      let state = try SavedRun(directory).content(10).state
      func text(_ pair: [Double]) -> String {
        String(format: "%.6f at step %d", Double(Float(pair[1])), Int(pair[0]))
      }
      let (first, last) = (try #require(state.trainingLosses.first), try #require(state.trainingLosses.last))
      let lowest = try #require(state.trainingLosses.min { $0[1] < $1[1] })
      #expect(fields["loss"] == "\(text(first)) to \(text(last)), the lowest \(text(lowest))")
      #expect(fields["validation"]?.contains("at step 10, the lowest") == true, "\(run.output)")
      #expect(fields["data"]?.contains("at token \(state.position["token"] ?? -1) of") == true)
      #expect(fields["samples"] == "\(state.sampleCount)")
      #expect(fields["gradient-accumulation"] == "2" && fields["schedule"] == "cosine")
      let kept = run.lines.filter { $0.contains(" whole") }
      #expect(kept.count == 2 && kept[0].hasPrefix("5 ") && kept[1].hasPrefix("10 "))
      let best = try #require(state.validationLosses.filter { $0[0] > 0 }.min { $0[1] < $1[1] })
      #expect(kept.filter { $0.hasSuffix("the best") }.map { Int($0.prefix { $0 != " " }) } == [Int(best[0])])
      // And its newest model, as of any checkpoint.
      #expect(
        run.output.contains("run/step-00000010/model") && run.lines.contains { $0.hasPrefix("fcprojw ") })
    }
  }

  @Test func whatIsDamagedIsTold() throws {
    try TemporaryDirectory.with { directory in
      #expect(
        try Executable.run(TrainCase.savedArguments(steps: 10, saveEvery: 5), in: directory).exitCode == 0)
      let run = directory.appending(path: "run")
      try Data("{}".utf8).write(to: run.appending(path: "step-00000010/state.json"))
      let seen = try inspect("run", in: directory)
      #expect(seen.exitCode == 0 && seen.output.contains("steps       5 of 10 done"), "\(seen.output)")
      let line = try #require(seen.lines.first { $0.contains("damaged: ") })
      #expect(line.hasPrefix("10 ") && line.contains("state.json"))
      #expect(seen.output.contains("run/step-00000005/model"))
      // None that is whole.
      try FileManager.default.removeItem(at: run.appending(path: "step-00000005/manifest.json"))
      let none = try inspect("run", in: directory)
      #expect(none.exitCode == 0 && none.lines.count { $0.contains("damaged: ") } == 2, "\(none.output)")
      #expect(!none.output.contains("tensor "))
    }
  }

  @Test func aRunWithoutASaveIsARun() throws {
    try TemporaryDirectory.with { directory in
      let run = directory.appending(path: "run")
      try FileManager.default.createDirectory(at: run, withIntermediateDirectories: true)
      expectRefusal(try inspect("run", in: directory), "run")
      try Data("123\n".utf8).write(to: run.appending(path: "lock"))
      let seen = try inspect("run", in: directory)
      #expect(seen.exitCode == 0 && seen.output.contains("none is kept yet"), "\(seen.errors)")
    }
  }
}
