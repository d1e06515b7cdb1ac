import Foundation
import TestSupport
import Testing

/// `gpt2 report`: what is on the page, and what makes none.
@Suite struct ReportTests {
  @Test func thePageHasTheNumbersOfTheLog() throws {
    try TemporaryDirectory.with { directory in
      let log = directory.appending(path: "first.jsonl")
      try train(["--val-every", "4", "--sample-every", "5", "--log", log.path], in: directory)
      let page = try ReportPage(["first.jsonl"], in: directory)
      let run = try #require(page.runs.first)
      let events = try TrainCase.log(log)
      let steps = events.filter { $0.event == "train" }
      #expect(page.numbers("loss", of: run) == steps.map { Double($0.loss!) }.map { Float($0) })
      for (name, values) in [
        ("gradient_norm", steps.map(\.gradientNorm)), ("learning_rate", steps.map(\.learningRate)),
        ("tokens_per_second", steps.map(\.tokensPerSecond)),
      ] {
        #expect(page.numbers(name, of: run) == values.map { Float($0!) }, "\(name)")
      }
      let curve = try #require(run["curve"] as? [String: Any])
      #expect(curve["first"] as? [Int] == Array(0..<10) && curve["last"] == nil)
      let seconds = try #require(curve["seconds"] as? [Double])
      #expect(seconds.count == 10 && seconds == seconds.sorted() && seconds[0] >= 0)
      let validation = try #require(run["validation"] as? [String: Any])
      #expect(validation["step"] as? [Int] == [0, 4, 8])
      let samples = try #require(run["samples"] as? [[String: Any]])
      #expect(samples.map { $0["step"] as? Int } == [5, 10])
      // Without a tokenizer the ids stand for the text.
      let ids = try #require(events.first { $0.event == "sample" }?.tokens)
      #expect(samples[0]["text"] as? String == ids.map(String.init).joined(separator: " "))
      #expect(page.fields("options", of: run)["weight_decay"] == "0.01")
      #expect(page.fields("machine", of: run).keys.contains("cpu"))
      #expect(run["name"] as? String == "first")
      let batch = TrainCase.tiny.batchSize * TrainCase.tiny.sequenceLength
      #expect(run["tokens_per_step"] as? Int == batch)
    }
  }

  @Test func thePageLoadsNothing() throws {
    try TemporaryDirectory.with { directory in
      try Data(log(steps: 3).utf8).write(to: directory.appending(path: "a.jsonl"))
      let text = try ReportPage(["a.jsonl"], in: directory).text
      // The one address is the name of SVG's elements.
      #expect(text.matches(of: /https?:/).count == 1 && text.contains("http://www.w3.org/2000/svg"))
      #expect(!text.contains("@import") && !text.contains("url(h") && !text.contains(" src="))
      #expect(text.contains("default-src 'none'") && !text.contains("%%"))
    }
  }

  /// Buckets of equally many steps, whose least and largest numbers keep what is gone from the means.
  @Test func longRunsAreThinnedAndKeepTheirSpikes() throws {
    try TemporaryDirectory.with { directory in
      let count = 50_000
      let text = log(steps: count) { $0 == 31_234 ? 99 : 2 + Double($0 % 7) / 10 }
      try Data(text.utf8).write(to: directory.appending(path: "long.jsonl"))
      let page = try ReportPage(["long.jsonl"], in: directory)
      #expect(page.text.utf8.count < 250_000)
      let run = try #require(page.runs.first)
      let curve = try #require(run["curve"] as? [String: Any])
      let (first, last) = (
        try #require(curve["first"] as? [Int]), try #require(curve["last"] as? [Int])
      )
      #expect(first == (0..<1000).map { $0 * 50 } && last == (0..<1000).map { $0 * 50 + 49 })
      let loss = try #require(curve["loss"] as? [String: [Double]])
      let bucket = 31_234 / 50
      #expect(loss["high"]?[bucket] == 99 && loss["high"]?.filter { $0 == 99 }.count == 1)
      #expect(loss["low"]?.allSatisfy { Float($0) == 2 } == true)
      let steps = bucket * 50..<bucket * 50 + 50
      let losses: [Double] = steps.map { $0 == 31_234 ? 99 : 2 + Double($0 % 7) / 10 }
      let mean = losses.reduce(0, +) / 50
      #expect(try Float(#require(loss["mean"])[bucket]) == Float(mean))
    }
  }

  @Test func textsOfALogStayTexts() throws {
    try TemporaryDirectory.with { directory in
      let name = "<img src=x onerror=alert(1)>.jsonl"
      let evil = "</script><script>alert('1')</script><!-- &lt; \u{2028}\u{7}%%style%%"
      let sample = #"{"event":"sample","step":2,"text":"\#(evil.replacing("\u{7}", with: "\\u0007"))"}"#
      let start =
        #"{"event":"start","model":"\#(evil.dropLast(11))</table>","time":"2026-01-01T00:00:00.000Z"}"#
      try Data((start + "\n" + log(steps: 3) + sample + "\n").utf8).write(to: directory.appending(path: name))
      let page = try ReportPage([name], in: directory)
      #expect(page.text.matches(of: /<\/script/).count == 2 && !page.text.contains("<img"))
      let run = try #require(page.runs.first)
      #expect(run["name"] as? String == String(name.dropLast(6)))
      #expect((run["samples"] as? [[String: Any]])?.first?["text"] as? String == evil)
    }
  }

  /// What was written after the step that a run goes on from was lost; the time between does not count.
  @Test func aResumedRunIsOneCurve() throws {
    try TemporaryDirectory.with { directory in
      func line(_ event: String, _ step: Int, _ loss: Double, at second: Int) -> String {
        let time = "2026-02-28T23:59:\(second < 10 ? "0" : "")\(second).000Z"
        return #"{"event":"\#(event)","step":\#(step),"loss":\#(loss),"time":"\#(time)"}"#
      }
      let lines = [
        #"{"event":"start","steps":5,"time":"2026-02-28T23:59:00.000Z"}"#,
        line("validation", 0, 9, at: 1), line("train", 0, 5, at: 2), line("train", 1, 4, at: 4),
        line("validation", 2, 8, at: 5), #"{"event":"sample","step":2,"text":"kept"}"#,
        line("train", 2, 99, at: 6), line("validation", 3, 77, at: 7),
        #"{"event":"sample","step":3,"text":"lost"}"#, #"{"event":"end","error":"lost"}"#,
        #"{"event":"start","resumed_at":2,"steps":5,"time":"2026-03-01T10:00:00.000Z"}"#,
        line("train", 2, 3, at: 58).replacing("02-28T23:59:58", with: "03-01T10:00:03"),
        line("train", 3, 2, at: 58).replacing("02-28T23:59:58", with: "03-01T10:00:05"),
      ]
      try Data(lines.joined(separator: "\n").utf8).write(to: directory.appending(path: "r.jsonl"))
      let page = try ReportPage(["r.jsonl"], in: directory)
      let run = try #require(page.runs.first)
      #expect(page.numbers("loss", of: run) == [5, 4, 3, 2])
      // Step 1 ended after 4 seconds, the validation before step 2 after 5.
      #expect((run["curve"] as? [String: Any])?["seconds"] as? [Double] == [2, 4, 8, 10])
      let validation = try #require(run["validation"] as? [String: Any])
      #expect(validation["step"] as? [Int] == [0, 2] && validation["loss"] as? [Double] == [9, 8])
      #expect(validation["seconds"] as? [Double] == [1, 5])
      let samples = try #require(run["samples"] as? [[String: Any]])
      #expect(samples.map { $0["text"] as? String } == ["kept"])
      let summary = try #require(run["summary"] as? [String: Any])
      #expect(summary["resumptions"] as? Int == 1 && summary["ended"] as? Bool == false)
    }
  }

  @Test func theSummaryIsOfTheWholeRun() throws {
    try TemporaryDirectory.with { directory in
      let start = #"{"event":"start","batch_size":2,"sequence_length":3,"gradient_accumulation":4,"steps":6}"#
      let steps = zip([10, 50, 20, 40, 30], 0...).map { rate, step in
        #"{"event":"train","step":\#(step),"loss":\#(5 - step),"tokens_per_second":\#(rate)}"#
      }
      let validations = [(0, 9), (2, 7), (4, 8)].map {
        #"{"event":"validation","step":\#($0),"loss":\#($1)}"#
      }
      let ends = [
        "whole": #"{"event":"end","peak_resident_bytes":2097152}"#,
        "stopped": #"{"event":"end","error":"no room"}"#,
      ]
      for (name, end) in ends {
        let lines = [start] + steps + validations + [end]
        try Data(lines.joined(separator: "\n").utf8).write(to: directory.appending(path: name + ".jsonl"))
      }
      let page = try ReportPage(["whole.jsonl", "stopped.jsonl"], in: directory)
      #expect(page.runs.count == 2)
      for (run, error) in zip(page.runs, [nil, "no room"]) {
        let summary = try #require(run["summary"] as? [String: Any])
        #expect(summary["steps"] as? Int == 5 && summary["planned"] as? Int == 6)
        #expect(summary["last_loss"] as? Double == 1 && summary["last_validation"] as? Double == 8)
        #expect(summary["best_validation"] as? Double == 7 && summary["best_step"] as? Int == 2)
        #expect(summary["median_tokens_per_second"] as? Double == 30 && summary["resumptions"] as? Int == 0)
        #expect(summary["ended"] as? Bool == true && summary["error"] as? String == error)
        #expect(run["tokens_per_step"] as? Int == 24)
      }
      #expect(page.fields("machine", of: page.runs[0])["peak_memory"] == "2.0 MiB")
    }
  }

  @Test func runDirectoriesAreReportsOfTheirLogs() throws {
    try TemporaryDirectory.with { directory in
      try train(["--save", "run", "--log", "of-run.jsonl"], in: directory)
      let whole = try ReportPage(["run"], in: directory)
      #expect(whole.run.errors.isEmpty && whole.numbers("gradient_norm", of: whole.runs[0]).count == 10)
      // From elsewhere it is found beside the directory.
      let other = directory.appending(path: "other")
      try FileManager.default.createDirectory(at: other, withIntermediateDirectories: true)
      let beside = try ReportPage([directory.appending(path: "run").path], in: other)
      #expect(beside.numbers("gradient_norm", of: beside.runs[0]).count == 10)
      // Another run's log of that name is not taken for it.
      let log = directory.appending(path: "of-run.jsonl")
      let text = try String(contentsOf: log, encoding: .utf8)
      try Data(text.replacing(/"step":9,"loss":[0-9.]+/, with: #""step":9,"loss":1.5"#).utf8).write(to: log)
      let without = try ReportPage(["run"], in: directory, output: "without.html")
      #expect(without.run.errors.contains("last 1000 losses"), "\(without.run.errors)")
      #expect(without.numbers("loss", of: without.runs[0]) == whole.numbers("loss", of: whole.runs[0]))
      #expect(without.numbers("gradient_norm", of: without.runs[0]).isEmpty)
      // In the directory itself it needs no name.
      try FileManager.default.moveItem(at: log, to: directory.appending(path: "run/any.jsonl"))
      let inside = try ReportPage(["run"], in: directory, output: "inside.html")
      #expect(inside.numbers("loss", of: inside.runs[0]).last == 1.5)
    }
  }

  @Test func runsOfTheSameNameAreToldApart() throws {
    try TemporaryDirectory.with { directory in
      for folder in ["a", "b"] {
        let url = directory.appending(path: folder)
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        try Data(log(steps: 2).utf8).write(to: url.appending(path: "log.jsonl"))
      }
      try Data(log(steps: 2).utf8).write(to: directory.appending(path: "c.jsonl"))
      let page = try ReportPage(["a/log.jsonl", "b/log.jsonl", "c.jsonl"], in: directory)
      #expect(page.runs.map { $0["name"] as? String } == ["a/log.jsonl", "b/log.jsonl", "c"])
    }
  }

  private func train(_ options: [String], in directory: URL) throws {
    let run = try Executable.run(TrainCase.arguments() + options, in: directory)
    #expect(run.exitCode == 0, "\(run.errors)")
  }
}

/// Lines of training steps as a log has them.
func log(steps: Int, loss: (Int) -> Double = { 5 - Double($0) / 10 }) -> String {
  (0..<steps).map { #"{"event":"train","step":\#($0),"loss":\#(loss($0))}"# + "\n" }.joined()
}

/// A page that `gpt2 report` wrote, as far as tests look at it.
struct ReportPage {
  let run: Run
  let url: URL
  let text: String
  let runs: [[String: Any]]

  init(_ paths: [String], in directory: URL, output: String = "report.html") throws {
    url = directory.appending(path: output)
    run = try Executable.run(["report"] + paths + ["--output", output], in: directory)
    guard run.exitCode == 0 else { throw TestFileError(run.errors) }
    text = try String(contentsOf: url, encoding: .utf8)
    let data = try #require(
      text.firstMatch(of: /(?s)<script type="application\/json" id="data">(.*?)<\/script>/))
    let json = try JSONSerialization.jsonObject(with: Data(data.1.utf8)) as? [String: Any]
    runs = try #require(json?["runs"] as? [[String: Any]])
  }

  /// The means of a number of the curve.
  func numbers(_ name: String, of run: [String: Any]) -> [Float] {
    let curve = run["curve"] as? [String: Any]
    return (curve?[name] as? [String: [Double]])?["mean"]?.map { Float($0) } ?? []
  }

  func fields(_ name: String, of run: [String: Any]) -> [String: String] {
    let pairs = run[name] as? [[String]] ?? []
    return Dictionary(pairs.map { ($0[0], $0[1]) }) { first, _ in first }
  }
}
