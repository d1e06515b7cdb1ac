import Foundation
import TestSupport
import Testing

/// What a run tells: every option, when it was, and as many lines as were asked for.
@Suite struct TrainingLogTests {
  /// Runs the reference case `tiny` with a log.
  private func train(_ options: [String]) throws -> (run: Run, events: [[String: Any]]) {
    try TemporaryDirectory.with { directory in
      let log = directory.appending(path: "log.jsonl")
      let run = try Executable.run(TrainCase.arguments() + ["--log", log.path] + options, in: directory)
      #expect(run.exitCode == 0, "\(run.errors)")
      let lines = try String(contentsOf: log, encoding: .utf8).split(separator: "\n")
      return (
        run,
        try lines.map {
          try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
        }
      )
    }
  }

  /// An option that is new to the help is missed here until the log has it.
  @Test func theStartHasEveryOptionOfTheHelp() throws {
    let help = try Executable.run(["train", "--help"], in: FileManager.default.temporaryDirectory)
    let names = help.output.matches(of: /\n  --([a-z0-9-]+)/).map { String($0.1).replacing("-", with: "_") }
    #expect(names.count > 35)
    var fields: Set<String> = []
    // Each optimizer has options of its own.
    for options in [[], ["--optimizer", "sgd"]] {
      fields.formUnion(try #require(try train(options).events.first).keys)
    }
    for name in names where name != "version" { #expect(fields.contains(name), "\(name)") }
  }

  @Test func optionsAreLoggedAsGiven() throws {
    let (_, events) = try train(["--save", "run", "--save-every", "4", "--keep", "2", "--print-every", "5"])
    let start = try #require(events.first)
    #expect(start["checkpoint"] as? String == TrainCase.tiny.model.path)
    #expect(start["save"] as? String == "run" && start["on_save_error"] as? String == "continue")
    let numbers = ["save_every": 4, "keep": 2, "print_every": 5]
    for (name, value) in numbers { #expect(start[name] as? Int == value, "\(name)") }
    #expect(start["resume"] as? Bool == false && start["output"] is NSNull && start["dataset"] is NSNull)
  }

  @Test func everyEventEndsWithTheWallClock() throws {
    // Written to the millisecond.
    let before = Date.now - 0.001
    let (_, events) = try train(["--save", "run", "--sample-every", "5"])
    let after = Date.now
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
    let (run, events) = try train(["--print-every", "\(interval)", "--sample-every", "0"])
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
