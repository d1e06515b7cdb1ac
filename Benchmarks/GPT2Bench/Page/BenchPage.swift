import GPT2
import JSON
import Machine
import Operators
import Terminal

/// Everything that was measured, as one page for a browser.
struct BenchPage {
  let report: Report
  /// Where the suite step ran.
  let step: StepRecording?

  var bytes: [UInt8] {
    HTMLPage(
      title: "gpt2-bench", body: PackageResources.bench_html, style: PackageResources.bench_css,
      scripts: [
        PackageResources.picture_js, PackageResources.bars_js, PackageResources.roofline_js,
        PackageResources.scaling_js, PackageResources.timeline_js, PackageResources.bench_js,
      ]
    ).bytes(data)
  }

  /// `{"report": as --json has it, "topology": …, "limits": {precision: GFLOP/s…}, "tables": […], "step": …}`
  private var data: JSONText {
    .object([
      ("report", report.json), ("topology", .text("\(Topology.current)")), ("limits", limits),
      ("tables", .array(report.sections.map(table))), ("step", step?.json ?? .null),
    ])
  }

  /// Operators compute in float32 also where products do not.
  private var limits: JSONText {
    let session = report.session
    let precisions = Set([.fp32, session.settings.precision]).sorted { $0.rawValue > $1.rawValue }
    return .object(
      precisions.map { ($0.rawValue, .double(session.peak.gigaflops($0.arithmetic))) })
  }

  private func table(_ section: Section) -> JSONText {
    func texts(_ texts: [String]) -> JSONText { .array(texts.map { .text($0) }) }
    let text = SectionText(section, peak: report.session.peak)
    let table = text.table
    return .object([
      ("headings", texts(table.headings)), ("rows", .array(table.texts.map(texts))),
      (
        "notes",
        texts(
          text.notes + [section.disturbance?.cause.map { "disturbed: \($0) meanwhile" }].compactMap(\.self))
      ),
    ])
  }
}
