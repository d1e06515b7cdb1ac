import JSON
import Machine
import Terminal

/// What the page's script draws, as JSON: texts of logs are in it as texts and nowhere else on the page.
enum ReportData {
  /// Samples of a run, the first and the last among them, evenly between.
  private static let mostSamples = 60
  private static let longestSample = 6000
  private static let longestValue = 300

  /// What the start tells of the machine and not of the run.
  private static let machine: Set = ["cpu", "threads", "isa", "precision", "numa"]
  /// What is on the page elsewhere, or says nothing of the run.
  private static let passedOver: Set = ["event", "time", "resumed_at", "resume", "log", "print_every"]

  static func json(_ runs: [(name: String, path: String, run: ReportRun)]) -> JSONText {
    .object([
      ("version", .text(ProgramVersion.current)), ("date", .text(TimeText.current)),
      ("runs", .array(runs.map { run(name: $0.name, path: $0.path, $0.run) })),
    ])
  }

  private static func run(name: String, path: String, _ run: ReportRun) -> JSONText {
    let options = run.options.filter { !passedOver.contains($0.name) }
    return .object([
      ("name", .text(name.shown)), ("path", .text(path.shown)),
      ("tokens_per_step", run.tokensPerStep.map { .integer($0) } ?? .null),
      ("summary", summary(run)), ("curve", ReportCurve.json(run.steps)), ("validation", validation(run)),
      ("samples", samples(run.samples)), ("sample_count", .integer(run.samples.count)),
      ("options", fields(options.filter { !machine.contains($0.name) })),
      ("machine", fields(options.filter { machine.contains($0.name) } + memory(run))),
    ])
  }

  private static func summary(_ run: ReportRun) -> JSONText {
    func loss(_ value: Double?) -> JSONText { value.map { .float(Float($0)) } ?? .null }
    let best = run.validations.min { $0.loss < $1.loss }
    let speeds = run.steps.compactMap(\.tokensPerSecond).sorted()
    return .object([
      ("steps", .integer((run.steps.last?.number ?? -1) + 1)),
      ("planned", run.options.first { $0.name == "steps" }?.value ?? .null),
      ("last_loss", loss(run.steps.last?.loss)), ("last_validation", loss(run.validations.last?.loss)),
      ("best_validation", loss(best?.loss)), ("best_step", best.map { .integer($0.step) } ?? .null),
      ("median_tokens_per_second", speeds.isEmpty ? .null : .double(speeds[speeds.count / 2].rounded())),
      (
        "seconds", .seconds([run.steps.last?.seconds, run.validations.last?.seconds].compactMap { $0 }.max())
      ),
      ("resumptions", .integer(run.resumptions)),
      ("ended", .boolean(!run.end.isEmpty)), ("error", .text(run.endError?.shown)),
    ])
  }

  private static func validation(_ run: ReportRun) -> JSONText {
    // Thinned by leaving out: no run validates so often but by mistake.
    let kept = thinned(run.validations, to: ReportCurve.most)
    return .object([
      ("step", .array(kept.map { .integer($0.step) })),
      ("loss", .array(kept.map { .float(Float($0.loss)) })),
      ("seconds", .array(kept.map { .seconds($0.seconds) })),
    ])
  }

  private static func samples(_ samples: [ReportRun.Sample]) -> JSONText {
    .array(
      thinned(samples, to: mostSamples).map { sample in
        let text = sample.text.prefix(longestSample)
        return .object([
          ("step", .integer(sample.step)), ("text", .text(String(text))),
          ("cut", .boolean(text.endIndex < sample.text.endIndex)),
        ])
      })
  }

  private static func memory(_ run: ReportRun) -> [(name: String, value: JSONText)] {
    run.end.filter { $0.name == "peak_resident_bytes" }.map { field in
      guard case .number(let digits) = field.value, let count = Int(digits) else { return field }
      return ("peak_memory", .text(NumberText.bytes(count)))
    }
  }

  private static func fields(_ members: [(name: String, value: JSONText)]) -> JSONText {
    .array(members.map { .array([.text($0.name.shortened.shown), .text(text($0.value).shown)]) })
  }

  /// A value as people read it.
  private static func text(_ value: JSONText) -> String {
    let text: String
    switch value {
    case .null, .text(nil): text = "–"
    case .boolean(let value): text = value ? "yes" : "no"
    case .text(let value?): text = value
    case .array(let values):
      let more = values.count > 3 ? " and \(values.count - 3) more" : ""
      text = values.isEmpty ? "–" : values.prefix(3).map(Self.text).joined(separator: ", ") + more
    default: text = value.encoded
    }
    return text.utf8.count <= longestValue ? text : text.prefix(longestValue) + "…"
  }

  /// At most `count` elements, the first and the last among them.
  private static func thinned<Element>(_ elements: [Element], to count: Int) -> [Element] {
    guard elements.count > count else { return elements }
    return (0..<count).map { elements[$0 * (elements.count - 1) / (count - 1)] }
  }
}
