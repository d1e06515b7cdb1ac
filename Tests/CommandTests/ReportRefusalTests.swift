import Foundation
import TestSupport
import Testing

/// `gpt2 report` where there is nothing to draw, or no place for it: one sentence, and no page.
@Suite struct ReportRefusalTests {
  /// Runs `gpt2 report` on a file of this content.
  private func report(
    _ content: String, _ more: [String] = [], prepare: (URL) throws -> Void = { _ in }
  ) throws -> (run: Run, page: String?) {
    try TemporaryDirectory.with { directory in
      try Data(content.utf8).write(to: directory.appending(path: "a.jsonl"))
      try prepare(directory)
      let run = try Executable.run(["report", "a.jsonl", "--output", "page.html"] + more, in: directory)
      return (run, try? String(contentsOf: directory.appending(path: "page.html"), encoding: .utf8))
    }
  }

  private static let start = #"{"event":"start","model":"m","time":"2026-01-01T00:00:00.000Z"}"# + "\n"

  /// Contents, and what is said of them.
  private static let noLogs: [(String, String)] = [
    ("", "empty"), ("some text\n", "is text"), ("{\"a\":1}\n", "a JSON object"),
    ("<!doctype html>", "a web page"), (start, "with a step"), ("\(start)\n", "line 2"),
    (
      "\(start){\"event\":\"train\",\"step\":0,\"loss\":1}\n{\"event\":\"tra\n{\"event\":\"end\"}\n",
      "line 3"
    ),
    ("\(start){\"event\":\"train\",\"loss\":1}\n", "line 2"),
    ("\(start){\"event\":\"train\",\"step\":-1,\"loss\":1}\n", "line 2"),
    ("\(start){\"event\":\"train\",\"step\":1e300,\"loss\":1}\n", "line 2"),
    ("\(start){\"loss\":1}\n", "line 2"),
  ]

  @Test(arguments: noLogs)
  func whatIsNoLogMakesNoPage(_ content: String, _ fragment: String) throws {
    let (run, page) = try report(content)
    expectRefusal(run, "a.jsonl", fragment)
    #expect(page == nil)
  }

  @Test func aLastLineThatIsCutIsLeftOutAndSaid() throws {
    let (run, page) = try report(log(steps: 3) + #"{"event":"train","st"#)
    #expect(run.exitCode == 0 && run.errors == "warning: a.jsonl: the last line is cut off and left out.\n")
    #expect(page?.contains(#""first":[0,1,2]"#) == true)
  }

  @Test func whatIsNoNumberLeavesAGap() throws {
    let text =
      log(steps: 1)
      + "{\"event\":\"train\",\"step\":1,\"loss\":null}\n{\"event\":\"train\",\"step\":2,\"loss\":1e999}\n"
    let (run, page) = try report(text)
    #expect(run.exitCode == 0 && page?.contains(#""mean":[5.0,null,null]"#) == true, "\(run.errors)")
  }

  @Test func nothingIsReplacedUnlessAsked() throws {
    let write = { (directory: URL) in
      try Data("mine".utf8).write(to: directory.appending(path: "page.html"))
    }
    let (refused, kept) = try report(log(steps: 3), prepare: write)
    expectRefusal(refused, "page.html exists already: --overwrite replaces it")
    #expect(kept == "mine")
    let (run, page) = try report(log(steps: 3), ["--overwrite"], prepare: write)
    #expect(run.exitCode == 0 && page?.hasPrefix("<!doctype html>") == true)
    // A log that is none leaves the old page as it was.
    #expect(try report("no log", ["--overwrite"], prepare: write).page == "mine")
  }

  @Test func foldersThatAreNoRuns() throws {
    try TemporaryDirectory.with { directory in
      let folder = directory.appending(path: "folder")
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
      func report(_ arguments: String...) throws -> Run {
        try Executable.run(["report"] + arguments, in: directory)
      }
      expectRefusal(try report("folder", "--output", "p.html"), "folder", "a run directory")
      expectRefusal(try report("none", "--output", "p.html"), "none")
      for name in ["a.jsonl", "b.jsonl"] {
        try Data(log(steps: 2).utf8).write(to: folder.appending(path: name))
      }
      expectRefusal(
        try report("folder", "--output", "p.html"),
        "found folder/a.jsonl, folder/b.jsonl: name the logs themselves")
      expectRefusal(
        try report("folder/a.jsonl", "folder/a.jsonl", "--output", "p.html"), exitCode: 64,
        "folder/a.jsonl twice")
      expectRefusal(try report("folder/a.jsonl", "--output", "no/p.html"), "no/p.html")
      expectRefusal(try report("folder/a.jsonl", "--output", "folder"), "directory")
      expectRefusal(try report("folder/a.jsonl"), exitCode: 64, "--output")
      expectRefusal(try report("--output", "p.html"), exitCode: 64, "run")
    }
  }
}
