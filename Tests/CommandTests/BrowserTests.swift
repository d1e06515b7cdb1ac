import Foundation
import TestSupport
import Testing

/// The page of `gpt2 report` in a browser.
@Suite struct BrowserTests {
  private func document(
    _ paths: [String], in directory: URL, script: String = "", columns: Int = 1200
  ) throws -> String {
    let page = try ReportPage(paths, in: directory, output: "of-\(paths.count).html")
    return try Browser.document(page.text, in: directory, script: script, columns: columns)
  }

  @Test(.enabled(if: Browser.isThere, Browser.reason)) func curvesAndTablesAreThere() throws {
    try TemporaryDirectory.with { directory in
      let evil = "</script><script>document.title='taken'</script><b>bold</b>"
      let start =
        #"{"event":"start","model":"\#(evil)","cpu":"a processor","batch_size":2,"sequence_length":3,"#
        + #""gradient_accumulation":1,"steps":300,"time":"2026-01-01T00:00:00.000Z"}"#
      let sample = #"{"event":"sample","step":200,"text":"\#(evil)","time":"2026-01-01T00:03:00.000Z"}"#
      let validation = #"{"event":"validation","step":0,"loss":6.5,"time":"2026-01-01T00:00:01.000Z"}"#
      for name in ["one", "two"] {
        let text = [start, validation, log(steps: 300).dropLast() + "", sample].joined(separator: "\n")
        try Data((text + "\n").utf8).write(to: directory.appending(path: name + ".jsonl"))
      }
      let one = try document(["one.jsonl"], in: directory)
      #expect(one.contains("<title>one · training report</title>"))
      #expect(one.contains("300 of 300") && one.contains("a processor"))
      // Texts are texts.
      #expect(one.contains("&lt;b&gt;bold") && !one.contains("<b>bold"))
      let drawn = one.matches(of: /<path[^>]*class="line ([a-z ]+)"[^>]*d="M([^"]+)"/).map {
        (kind: $0.1, path: $0.2)
      }
      #expect(drawn.map(\.kind).sorted() == ["raw faint", "smoothed", "validation", "validation"])
      // A point a step.
      #expect(drawn.first { $0.kind == "smoothed" }?.path.split(separator: "L").count == 300)
      #expect(one.matches(of: /<figure[^>]*hidden/).count == 3, "charts without data are not shown")
      let both = try document(["one.jsonl", "two.jsonl"], in: directory)
      #expect(both.matches(of: /class="line smoothed"/).count == 2 && both.contains("2 training runs"))
    }
  }

  /// Values are read, axes chosen and runs left out.
  @Test(.enabled(if: Browser.isThere, Browser.reason)) func controlsDoWhatTheySay() throws {
    try TemporaryDirectory.with { directory in
      for (name, loss) in [("one", 5.25), ("two", 3.75)] {
        try Data(log(steps: 200) { _ in loss }.utf8).write(to: directory.appending(path: name + ".jsonl"))
      }
      let script = """
        for (const each of document.querySelectorAll("#controls button")) {
          if (["Logarithmic", "two"].includes(each.textContent)) each.click();
        }
        const svg = document.querySelector("[data-field=loss] .plot svg");
        svg.dispatchEvent(new KeyboardEvent("keydown", { key: "Home" }));
        svg.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight" }));
        """
      let seen = try document(["one.jsonl", "two.jsonl"], in: directory, script: script)
      #expect(seen.matches(of: /class="line smoothed"/).count == 1)
      let readout = try #require(seen.firstMatch(of: /<div class="readout"[^>]*>(.*?)<\/div>/)?.1)
      #expect(readout.contains("step 1<") && readout.contains("5.2500") && !readout.contains("3.7500"))
      #expect(seen.contains("<span class=\"unit\">logarithmic</span>"))
    }
  }
}
