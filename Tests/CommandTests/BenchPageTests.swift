import Foundation
import TestSupport
import Testing

/// `gpt2-bench --html`: what is on the page, in a browser where one is installed.
@Suite struct BenchPageTests {
  /// A page and what its script draws.
  private struct Page {
    let text: String
    let data: [String: Any]
    let results: [[String: Any]]

    init(_ arguments: [String], in directory: URL) throws {
      let url = directory.appending(path: "page.html")
      let run = try Bench.run(Bench.small + arguments + ["--html", url.path, "--overwrite"])
      try #require(run.status == 0, "\(run.error)")
      #expect(run.error.isEmpty)
      text = try String(contentsOf: url, encoding: .utf8)
      let json = try #require(
        text.firstMatch(of: /(?s)<script type="application\/json" id="data">(.*?)<\/script>/)?.1)
      data = try #require(try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String: Any])
      results = try #require((data["report"] as? [String: Any])?["results"] as? [[String: Any]])
    }

    /// The parts of each slot, [region, start, end, tasks, stolen], and the regions, [name, section, tasks, start, end].
    func step() throws -> (parts: [[[Int]]], regions: [[Int]], names: [String], sections: [String]) {
      let step = try #require(data["step"] as? [String: Any])
      return (
        try #require(step["parts"] as? [[[Int]]]), try #require(step["regions"] as? [[Int]]),
        try #require(step["names"] as? [String]), try #require(step["sections"] as? [String])
      )
    }
  }

  @Test func thePageHasTheReportAndAStep() throws {
    try TemporaryDirectory.with { directory in
      let page = try Page(["--suite", "gemm,operators,step", "--threads", "1"], in: directory)
      #expect(page.text.matches(of: /https?:/).count == 1 && page.text.contains("http://www.w3.org/2000/svg"))
      #expect(!page.text.contains("@import") && !page.text.contains(" src=") && !page.text.contains("%%"))
      // By hand, x of 1024 numbers, the weight and y of 3072: M = 2·16, N = 3·32, K = 32.
      let product = try #require(page.results.first { $0["name"] as? String == "qkv forward" })
      let (flop, bytes): (Double, Double) = (2 * 32 * 96 * 32, 4 * (1024 + 3072 + 3072))
      #expect(try Bench.number(product, "flop") == flop && Bench.number(product, "bytes") == bytes)
      let (parts, regions, names, sections) = try page.step()
      #expect(parts.count == 1)
      var tasks = [Int](repeating: 0, count: regions.count)
      for part in parts.joined() { tasks[part[0]] += part[3] }
      #expect(tasks == regions.map { $0[2] })
      #expect(names.contains("Linear.backward fcw") && names.contains { $0.hasPrefix("CrossEntropy.") })
      #expect(sections.contains("forward, layer 1") && sections.contains("embeddings, backward"))
      // The update that the step before left due.
      #expect(names.contains { $0.hasPrefix("DueUpdate.") })
      let tables = try #require(page.data["tables"] as? [[String: Any]])
      #expect(tables.compactMap { ($0["headings"] as? [String])?.first } == ["gemm", "operators", "step"])
    }
  }

  @Test(.enabled(if: Browser.isThere, Browser.reason)) func whatRanIsDrawn() throws {
    try TemporaryDirectory.with { directory in
      let page = try Page(["--suite", "gemm,operators,step,memory"], in: directory)
      let seen = try Browser.document(page.text, in: directory)
      #expect(seen.contains("L2-NH2-C32-V100 on ") && seen.contains("· gpt2-bench</title>"))
      let placed = page.results.contains { $0["pages"] != nil }
      for (section, isThere) in [
        ("roofline", true), ("timeline", true), ("breakdown", true), ("scaling", false),
        ("placement", placed),
        ("tables", true),
      ] {
        let tag = try #require(seen.firstMatch(of: try Regex("<section id=\"\(section)\"[^>]*>")))
        #expect(String(seen[tag.range]).contains("hidden") != isThere, "\(section)")
      }
      let points = page.results.count { $0["flop"] != nil }
      #expect(points > 25 && seen.matches(of: /<circle class="point/).count == points)
      let (parts, _, names, sections) = try page.step()
      #expect(seen.matches(of: /<rect[^>]*class="bar part"/).count == parts.joined().count)
      #expect(seen.matches(of: /<rect[^>]*class="waiting"/).count == parts.count)
      for name in names { #expect(seen.contains(">\(name)</text>"), "\(name)") }
      // Some are too narrow for a text.
      for section in sections { #expect(seen.contains("data-section=\"\(section)\""), "\(section)") }
      #expect(seen.matches(of: /<h3>(gemm|operators|step|memory)<\/h3>/).count == 4)
    }
  }

  /// Values are read by pointer and keys, and the timeline is enlarged.
  @Test(.enabled(if: Browser.isThere, Browser.reason)) func controlsDoWhatTheySay() throws {
    try TemporaryDirectory.with { directory in
      let page = try Page(["--suite", "gemm,step"], in: directory)
      let script = """
        const press = (svg, key) => svg.dispatchEvent(new KeyboardEvent("keydown", { key }));
        const chart = document.querySelector("#roofline svg");
        for (let count = 0; count < 3; count++) press(chart, "ArrowRight");
        const buttons = [...document.querySelectorAll("#timeline button")];
        const click = (text) => buttons.find((each) => each.textContent === text).click();
        for (let count = 0; count < 3; count++) click("Zoom in");
        document.body.dataset.bars = document.querySelectorAll("#timeline .part").length;
        click("Whole step");
        const bar = document.querySelector("#timeline .part");
        bar.dispatchEvent(new PointerEvent("pointermove", { bubbles: true, clientX: 50, clientY: 10 }));
        """
      let seen = try Browser.document(page.text, in: directory, script: script, columns: 400)
      let readouts = seen.matches(
        of: /<div class="readout" aria-live="polite"( hidden="")?[^>]*>(.*?)<\/div>/)
      let shown = readouts.filter { $0.1 == nil }.map { String($0.2) }
      #expect(shown.count == 2 && shown[0].contains("FLOP per byte") && shown[0].contains("limit there"))
      #expect(shown.last?.contains("section") == true && shown.last?.contains("stolen") == true)
      let (parts, _, _, _) = try page.step()
      // An eighth of the step, in which a thread may do nothing, and all of it again.
      let enlarged = try #require(seen.firstMatch(of: /<body data-bars="(\d+)"/).flatMap { Int($0.1) })
      let all = parts.joined().count
      #expect(enlarged < all && seen.matches(of: /<rect[^>]*class="bar part"/).count == all)
    }
  }

  /// Rows of a suite that measures threads and nodes, whoever wrote them.
  @Test(.enabled(if: Browser.isThere, Browser.reason)) func scalingAndPlacementAreDrawnFromTheirRows() throws
  {
    try TemporaryDirectory.with { directory in
      let page = try Page(["--suite", "peak"], in: directory)
      let scaling = [1, 2, 4].flatMap { threads in
        ["strong", "weak"].map { kind in
          """
          {"suite":"scaling","name":"\(kind), \(threads) threads","milliseconds":{"min":1,"median":1,"max":1},\
          "threads":\(threads),"kind":"\(kind)","speed_up":\(Double(threads) * 0.75),"efficiency":0.75,\
          "busy_share":0.75,"slower_share":0.125,"waiting_share":0.0625,"between_share":0.0625}
          """
        }
      }
      let memory = """
        {"suite":"memory","name":"all tensors","bytes":4096000,"milliseconds":{"min":1,"median":1,"max":1},\
        "pages":{"node0":250,"node1":750}}
        """
      let rows = (scaling + [memory]).joined(separator: ",")
      let text = page.text.replacing("\"results\":[", with: "\"results\":[\(rows),")
      let seen = try Browser.document(text, in: directory, columns: 400)
      let sections = seen.split(separator: "<section id=").map(String.init)
      let drawn = try #require(sections.first { $0.hasPrefix("\"scaling\"") })
      #expect(drawn.matches(of: /<circle class="point/).count == 6)
      #expect(drawn.matches(of: /<path class="curve/).count == 2)
      #expect(drawn.matches(of: /<rect class="bar/).count == 6 * 4 && drawn.contains("75 % efficient"))
      let nodes = try #require(sections.first { $0.hasPrefix("\"placement\"") })
      #expect(nodes.matches(of: /<rect class="bar/).count == 2 && nodes.contains("node 1"))
      #expect(!seen.contains("<section id=\"roofline\" aria-labelledby=\"roofline-title\">"))
    }
  }

  @Test func badPlacesAreKnownBeforeMeasuring() throws {
    try TemporaryDirectory.with { directory in
      let file = directory.appending(path: "page.html")
      try Data("mine".utf8).write(to: file)
      let run = try Bench.run(Bench.small + ["--suite", "peak", "--html", file.path])
      #expect(run.status == 1 && run.error.contains("\(file.path) exists already: --overwrite"))
      #expect(try run.output.isEmpty && Data(contentsOf: file) == Data("mine".utf8))
      let nowhere = try Bench.run(Bench.small + ["--html", "/nowhere/page.html"])
      #expect(nowhere.status == 1 && nowhere.error.contains("/nowhere/page.html") && nowhere.output.isEmpty)
      let both = try Bench.run(Bench.small + ["--html", file.path, "--json", file.path])
      #expect(both.status == 64 && both.error.contains("two files") && both.output.isEmpty)
    }
  }
}
