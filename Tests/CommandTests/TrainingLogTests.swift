import Foundation
import TestSupport
import Testing

/// What a run tells: every option, when it was, and as many lines as were asked for.
@Suite struct TrainingLogTests {
  /// Runs the reference case `tiny` with a log.
  private func train(
    _ options: [String]
  ) throws -> (run: Run, events: [[String: Any]], lines: [Substring]) {
    try TemporaryDirectory.with { directory in
      let log = directory.appending(path: "log.jsonl")
      let run = try Executable.run(TrainCase.arguments() + ["--log", log.path] + options, in: directory)
      #expect(run.exitCode == 0, "\(run.errors)")
      let lines = try String(contentsOf: log, encoding: .utf8).split(separator: "\n")
      return (
        run,
        try lines.map {
          try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
        }, lines
      )
    }
  }

  /// An option that is new to the help is missed here until the log has it.
  @Test func theStartHasEveryOptionOfTheHelp() throws {
    let help = try Executable.run(["train", "--help"], in: FileManager.default.temporaryDirectory)
    let names = help.output.matches(of: /\n  --([a-z0-9-]+)/).map { String($0.1).replacing("-", with: "_") }
    #expect(names.count > 35)
    // Also those of the other optimizer.
    for options in [[], ["--optimizer", "sgd"]] {
      let fields = try #require(try train(options).events.first).keys
      for name in names where name != "version" { #expect(fields.contains(name), "\(name), \(options)") }
    }
  }

  @Test func optionsAreLoggedAsGiven() throws {
    let (_, events, _) = try train([
      "--save", "run", "--save-every", "4", "--keep", "2", "--print-every", "5",
    ])
    let start = try #require(events.first)
    #expect(start["checkpoint"] as? String == TrainCase.tiny.model.path)
    #expect(start["save"] as? String == "run" && start["on_save_error"] as? String == "continue")
    let numbers = ["save_every": 4, "keep": 2, "print_every": 5]
    for (name, value) in numbers { #expect(start[name] as? Int == value, "\(name)") }
    #expect(start["resume"] as? Bool == false && start["output"] is NSNull && start["dataset"] is NSNull)
  }

  /// In the log names have all their bytes; in the header any number of files has one line.
  @Test func namesOfManyFiles() throws {
    try TemporaryDirectory.with { directory in
      let tiny = TrainCase.tiny
      let run = try Executable.shell(
        #"""
        for n in 10 11 12 13; do cp '\#(tiny.tokensInt32.path)' $'a\xff_'$n; done
        "$0" train --checkpoint '\#(tiny.model.path)' --batch-size 1 --sequence-length 8 --steps 1 \
          --train-data $'a\xff_10' $'a\xff_11' $'a\xff_12' $'a\xff_13' --val-data $'a\xff_10' --save $'r\xff' \
          --log log.jsonl
        """#, in: directory)
      #expect(run.exitCode == 0, "\(run.errors)")
      let line = run.lines.first { $0.hasPrefix("data ") } ?? ""
      #expect(line.hasPrefix(#"data        4 files, a\xFF_10"#) && line.contains(#" to a\xFF_13"#), "\(line)")
      #expect(!line.contains("_11"), "\(line)")
      let lines = try String(contentsOf: directory.appending(path: "log.jsonl"), encoding: .utf8)
        .split(separator: "\n")
      let first = Data(try #require(lines.first).utf8)
      let start = try #require(try JSONSerialization.jsonObject(with: first) as? [String: Any])
      #expect(start["train_data"] as? [String] == (10...13).map { "a\u{10FEFF}_\($0)" })
      #expect(start["val_data"] as? [String] == ["a\u{10FEFF}_10"])
      #expect(start["save"] as? String == "r\u{10FEFF}")
      #expect(lines.contains { $0.contains("\"path\":\"r\u{10FEFF}/step-00000001\"") }, "\(lines)")
    }
  }

  @Test func everyEventEndsWithTheWallClock() throws {
    // Written to the millisecond.
    let before = Date.now - 0.001
    let (_, events, lines) = try train(["--save", "run", "--sample-every", "5"])
    let after = Date.now
    // In this order, so that a line's kind and time are found without reading it all.
    for line in lines { #expect(line.contains(/^\{"event":".*,"time":"[-0-9T:.]+Z"\}$/), "\(line)") }
    #expect(
      Set(events.compactMap { $0["event"] as? String }) == [
        "start", "train", "validation", "sample", "save", "end",
      ])
    let times = try events.map {
      try Date(
        #require($0["time"] as? String), strategy: Date.ISO8601FormatStyle(includingFractionalSeconds: true))
    }
    #expect(zip(times, times.dropFirst()).allSatisfy { $0 <= $1 })
    #expect(try before <= #require(times.first) && #require(times.last) <= after)
  }

  @Test(arguments: [(1, Array(0...9)), (3, [0, 3, 6, 9]), (4, [0, 4, 8, 9]), (100, [0, 9]), (0, [])])
  func everySoManyStepsArePrinted(_ interval: Int, _ expected: [Int]) throws {
    let (run, events, _) = try train(["--print-every", "\(interval)", "--sample-every", "0"])
    let printed = run.lines.filter { $0.contains(" tok/s ") }
    #expect(printed.compactMap { $0.firstMatch(of: /^step +(\d+)/).flatMap { Int($0.1) } } == expected)
    // What is no line of a step stays, and the log has all.
    #expect(run.lines.count { $0.contains("val loss") } == 2)
    #expect(events.count { $0["event"] as? String == "train" } == 10)
  }

  @Test func aNegativeIntervalIsRefused() throws {
    let run = try Executable.run(
      TrainCase.arguments() + ["--print-every", "-1"], in: FileManager.default.temporaryDirectory)
    expectRefusal(run, exitCode: 64, "--print-every should be at least 0, but is -1")
  }
}
