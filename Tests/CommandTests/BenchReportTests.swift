import Foundation
import TestSupport
import Testing

/// What `gpt2-bench` makes of what it measures: tables that are read, and a report that says what was run.
@Suite struct BenchReportTests {
  @Test func theReportSaysWhatWasRunAndWhen() throws {
    let before = Date.now - 0.001
    let (report, output) = try Bench.report(Bench.small + ["--suite", "peak", "--gradient-clip", "2"])
    let date = try Date(
      #require(report["date"] as? String), strategy: Date.ISO8601FormatStyle(includingFractionalSeconds: true)
    )
    #expect(before <= date && date <= Date.now)
    let version = try #require(report["version"] as? String)
    let commit = try Executable.shell(
      "git -C \"$(dirname \"$0\")\" rev-parse HEAD", in: FileManager.default.temporaryDirectory)
    if commit.exitCode == 0 { #expect(report["commit"] as? String == commit.lines.first.map(String.init)) }
    #expect(try Bench.run(["--version"]).output == version + "\n" && output.contains(version))
    let model = try #require(report["model"] as? [String: Any])
    #expect(model["name"] as? String == "L2-NH2-C32-V100")
    // By hand: a block has 12·32² + 13·32 weights; tokens, positions, and the last norm's two vectors.
    let expected = [
      "layers": 2, "heads": 2, "channels": 32, "vocabulary": 100, "context": 32,
      "parameters": 2 * (12 * 32 * 32 + 13 * 32) + (100 + 32 + 2) * 32,
    ]
    for (name, value) in expected { #expect(model[name] as? Int == value, "\(name)") }
    for (name, value) in ["batch_size": 2, "sequence_length": 16, "steps": 2, "gradient_clip": 2] {
      #expect(try Bench.number(report, name) == Double(value), "\(name)")
    }
    #expect(report["quick"] as? Bool == true && report["suites"] as? [String] == ["peak"])
  }

  /// A multiply-add of the portable kernels may be the call of a function.
  @Test func quickRunsOfPortableKernelsTakeASmallerModel() throws {
    let (report, _) = try Bench.report(["--quick", "--isa", "portable", "--suite", "peak", "--threads", "1"])
    let model = try #require(report["model"] as? [String: Any])
    #expect(model["name"] as? String == "quick-portable")
    #expect(try Bench.number(model, "parameters") < 300_000)
  }

  /// Not by SIGTERM: what the thread of a test starts has its signals blocked.
  private func end(_ process: Process) {
    kill(process.processIdentifier, SIGKILL)
    process.waitUntilExit()
  }

  // MARK: - Disturbance

  /// Others are busy on every processor.
  @Test func aDisturbedMachineIsSaidBeforeTheTables() throws {
    let others = try (0..<ProcessInfo.processInfo.activeProcessorCount).map { _ in
      let other = Process()
      other.executableURL = URL(filePath: "/bin/sh")
      // Ends by itself, should nobody end it.
      other.arguments = ["-c", "ulimit -t 60; while :; do :; done"]
      try other.run()
      return other
    }
    defer { for other in others { end(other) } }
    let (report, output) = try Bench.report(Bench.small + ["--suite", "gemm,step"])
    let machine = try #require(report["machine"] as? [String: Any])
    #expect(machine["disturbed"] as? Bool == true)
    #expect(try Bench.number(machine, "taken_by_others") > 0.1)
    let blocks = output.split(separator: "\n\n")
    #expect(blocks.count == 4)
    #expect(blocks[0].contains("\ndisturbed  others took "))
    for table in blocks[1...2] { #expect(table.hasPrefix("disturbed: others took "), "\(table)") }
    #expect(blocks[3].hasPrefix("disturbed: others took "))
  }

  @Test func whatExceedsThePeakIsMarked() throws {
    let (report, output) = try Bench.report(
      Bench.small + ["--isa", "portable", "--suite", "operators,memory"])
    let results = try #require(report["results"] as? [[String: Any]])
    for result in results where result["fraction_of_peak"] != nil {
      let isMarked = result["beyond_peak"] as? Bool == true
      #expect(try (Bench.number(result, "fraction_of_peak") > 1.05) == isMarked)
    }
    for percent in output.matches(of: /(\d+) %$/.anchorsMatchLineEndings()) {
      #expect(try #require(Int(percent.1)) <= 105)
    }
  }

  // MARK: - Tables

  @Test func columnsHaveOneUnitAndAlignedPoints() throws {
    let (_, output) = try Bench.report(Bench.small)
    var tables = 0
    for block in output.split(separator: "\n\n") {
      let lines = block.split(separator: "\n").drop { $0.hasPrefix("disturbed") }
      guard let heading = lines.first, heading.contains("median") else { continue }
      tables += 1
      // Notes below a table have a width of their own.
      let rows = lines.dropFirst().prefix { $0.count == heading.count }
      #expect(rows.count >= 1)
      var digits: [Int: Set<Int>] = [:]
      for row in rows {
        for number in row.matches(of: /\d+\.(\d+)/) {
          let end = row.distance(from: row.startIndex, to: number.range.upperBound)
          digits[end, default: []].insert(number.1.count)
        }
        #expect(row.firstMatch(of: /GB\/s|FLOP|[mµ]s( |$)/) == nil, "units are in the heading: \(row)")
      }
      #expect(!digits.isEmpty && digits.values.allSatisfy { $0.count == 1 }, "\(block)")
    }
    #expect(tables >= 7)
    if output.contains("\nempty parallel regions") {
      #expect(output.contains(/empty parallel regions +min µs +median µs +max µs/))
    }
  }

  @Test func totalsComeFirstAndSmallTensorsAreOneRow() throws {
    let (report, output) = try Bench.report(Bench.small + ["--suite", "gemm,memory"])
    let lines = output.split(separator: "\n").map(String.init)
    func rows(below title: String) throws -> ArraySlice<String> {
      lines[(try #require(lines.firstIndex { $0.hasPrefix(title + " ") && $0.contains("median") }) + 1)...]
    }
    #expect(try rows(below: "gemm").first?.hasPrefix("all products ") == true)
    #expect(try rows(below: "memory").first?.hasPrefix("all tensors ") == true)
    let results = try #require(report["results"] as? [[String: Any]])
    #expect(results.count { $0["suite"] as? String == "gemm" } == 15, "sums are not written")
    let tensors = results.filter { $0["suite"] as? String == "memory" }
    let all = try Bench.number(
      try #require(tensors.first { $0["name"] as? String == "all tensors" }), "bytes")
    var folded = ["parameters": 0, "activations": 0]
    for tensor in tensors {
      let name = try #require(tensor["name"] as? String)
      let isShown = lines.contains { $0.hasPrefix(name + " ") }
      #expect(isShown == (try Bench.number(tensor, "bytes") >= (all / 100).rounded(.down)), "\(name)")
      if !isShown { folded[String(name.prefix { $0 != " " }), default: 0] += 1 }
    }
    for (owner, count) in folded {
      #expect(count > 0 && lines.contains { $0.hasPrefix("\(owner), \(count) small tensor") }, "\(owner)")
    }
  }

  @Test func aTableIsThereWhenItsSuiteIsDone() throws {
    let process = Bench.process(Bench.small + ["--suite", "peak,step", "--steps", "1000000"])
    let pipe = Pipe()
    process.standardOutput = pipe
    try process.run()
    defer { end(process) }
    var output = ""
    // Ends with the program, should the table not come before.
    while !output.contains("\nread, "), case let data = pipe.fileHandleForReading.availableData, !data.isEmpty
    {
      output += String(decoding: data, as: UTF8.self)
    }
    #expect(output.contains("\npeak ") && !output.contains("\nstep ") && process.isRunning)
  }
}
