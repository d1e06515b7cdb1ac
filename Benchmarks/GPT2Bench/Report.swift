import Foundation
import JSON
import Machine
import Operators
import Terminal

/// What a row's work costs, from formulas: the numerator of its rate.
enum Cost {
  case none
  /// Operations, and on what.
  case arithmetic(Double, Limits.Arithmetic = .float32)
  /// Bytes that must come from or go to memory at least once.
  case traffic(Double)
  /// FLOP, of what, and bytes: the one that takes longer at the machine's peak counts.
  case either(flop: Double, bytes: Double, of: Limits.Arithmetic = .float32)
}

struct Row {
  let suite: SuiteName
  let name: String
  let timing: Timing
  let cost: Cost
  /// Fields of the JSON result beside those that every result has.
  var fields: [(String, JSONText)] = []
  /// What the section's own columns show.
  var cells: [Cell] = []
  /// Printed and not written: a part of another row, or the sum of others.
  var isPart = false
  /// Written and not printed: too small to matter by itself.
  var isFolded = false
}

struct Section {
  let title: String
  var columns: [String] = []
  let rows: () -> [Row]
  var notes: [String] = []
  /// Whether others had the machine meanwhile.
  var disturbance: Disturbance?
}

/// A row's rate, 10⁹ operations or bytes a second, and its fraction of the peak.
struct Rate {
  let value: Double
  /// Nil: bytes.
  let arithmetic: Limits.Arithmetic?
  let fraction: Double

  init?(_ row: Row, peak: Peak) {
    let seconds = row.timing.median / 1e3
    func flop(_ count: Double, _ kind: Limits.Arithmetic) -> (Double, Limits.Arithmetic?, Double) {
      (count / seconds / 1e9, kind, count / seconds / 1e9 / peak.gigaflops(kind))
    }
    func bytes(_ count: Double) -> (Double, Limits.Arithmetic?, Double) {
      (count / seconds / 1e9, nil, count / seconds / 1e9 / peak.gigabytes)
    }
    switch row.cost {
    case .none: return nil
    case .arithmetic(let count, let kind): (value, arithmetic, fraction) = flop(count, kind)
    case .traffic(let count): (value, arithmetic, fraction) = bytes(count)
    case .either(let operations, let traffic, let kind):
      let arithmeticBounds = operations / peak.gigaflops(kind) > traffic / peak.gigabytes
      (value, arithmetic, fraction) = arithmeticBounds ? flop(operations, kind) : bytes(traffic)
    }
  }

  /// What it is 10⁹ of a second, in the table and as a field of the JSON.
  var unit: (text: String, field: String) {
    switch arithmetic {
    case .float32, .bfloat16, .bfloat16Tiles: ("GFLOP/s", "gflops")
    case .int8: ("GOP/s", "gops")
    case nil: ("GB/s", "gigabytes_per_second")
    }
  }

  /// By how much a rate may exceed the peak: both are measured, and scatter.
  static let margin = 0.05

  /// Whether the fraction is none: the peak was no limit to this work, or was measured wrong.
  var isBeyondPeak: Bool { fraction > 1 + Self.margin }
}
/// Everything that was measured: as tables, each printed when it is complete, and as JSON.
struct Report {
  let session: Session
  private let date = TimeText.current
  private(set) var sections: [Section] = []

  init(session: Session) { self.session = session }

  // MARK: - Tables

  /// Prints what is known before the first suite.
  func begin() {
    let settings = session.settings
    var lines = [
      "\(Topology.current)",
      "version    gpt2-bench \(ProgramVersion.current), \(date)",
      """
      this run   \(NumberText.count(settings.threads, "thread")), \
      \(settings.instructionSet.rawValue) kernels: \
      \(NumberText.significant(session.peak.gigaflops(settings.precision.arithmetic))) GFLOP/s in \
      \(settings.precision.rawValue), reads \(NumberText.significant(session.peak.gigabytes)) GB/s
      """,
      "model      \(settings.modelName): \(ModelText.sizes(settings.configuration))",
      "batch      \(settings.batchSize) × \(settings.sequenceLength) tokens",
    ]
    if let cause = session.disturbance.cause {
      lines.append("disturbed  \(cause) while the peak was first measured: measure again on a quiet machine")
    }
    show(lines.joined(separator: "\n"))
  }

  /// Prints a section; its fractions are of the peak as it is known by now.
  mutating func add(_ section: Section) {
    sections.append(section)
    let table = SectionText(section, peak: session.peak)
    let warning = section.disturbance?.cause.map { "disturbed: \($0) meanwhile\n" } ?? ""
    show("\n" + warning + table.text)
  }

  /// Prints what only the whole run tells.
  func end() {
    if let cause = session.disturbance.cause {
      show("\ndisturbed: \(cause) during this run: take no fraction of it seriously")
    }
  }

  private func show(_ text: String) {
    Console.clearProgress()
    Console.print(text)
  }

  // MARK: - JSON

  /// `{…, "machine": …, "results": […]}`; fractions are of the peak of the whole run.
  var json: JSONText {
    let results = sections.flatMap { $0.rows() }.filter { !$0.isPart }.map(result)
    return .object(run + [("machine", machine), ("results", .array(results))])
  }

  /// What was run, when, and with which sizes.
  private var run: [(String, JSONText)] {
    let (settings, configuration) = (session.settings, session.configuration)
    let model: [(String, JSONText)] = [
      ("name", .text(settings.modelName)), ("layers", .integer(configuration.layers)),
      ("heads", .integer(configuration.heads)), ("channels", .integer(configuration.channels)),
      ("vocabulary", .integer(configuration.vocabularySize)),
      ("context", .integer(configuration.maximumSequenceLength)),
      ("parameters", .integer(ModelText.usedParameterCount(configuration))),
    ]
    return [
      ("version", .text(ProgramVersion.current)), ("commit", .text(Checkout.commit)), ("date", .text(date)),
      ("model", .object(model)),
      ("batch_size", .integer(settings.batchSize)), ("sequence_length", .integer(settings.sequenceLength)),
      ("steps", .integer(settings.steps)), ("recompute", .text(settings.recomputation.rawValue)),
      ("gradient_clip", .double(settings.gradientClip)), ("quick", .boolean(settings.quick)),
      ("suites", .array(settings.suites.map { .text($0.rawValue) })),
    ]
  }

  private var machine: JSONText {
    let (topology, disturbance) = (Topology.current, session.disturbance)
    return .object([
      ("cpu", .text(topology.modelName)), ("threads", .integer(session.settings.threads)),
      ("isa", .text(session.settings.instructionSet.rawValue)),
      ("precision", .text(session.settings.precision.rawValue)),
      ("peak_gflops", .double(session.peak.gigaflops(session.settings.precision.arithmetic))),
      ("read_gigabytes_per_second", .double(session.peak.gigabytes)),
      ("disturbed", .boolean(disturbance.isDisturbed)),
      ("taken_by_others", disturbance.othersShare.map { .double($0) } ?? .null),
      ("sockets", .integer(topology.sockets.count)), ("nodes", .integer(topology.nodes.count)),
      ("cores", .integer(topology.cores.count)),
    ])
  }

  private func result(_ row: Row) -> JSONText {
    var fields: [(String, JSONText)] = [
      ("suite", .text(row.suite.rawValue)), ("name", .text(row.name)),
      (
        "milliseconds",
        .object([
          ("min", .double(row.timing.least)), ("median", .double(row.timing.median)),
          ("max", .double(row.timing.most)),
        ])
      ),
    ]
    fields += row.fields
    if let rate = Rate(row, peak: session.peak) {
      fields.append((rate.unit.field, .double(rate.value)))
      fields.append(("fraction_of_peak", .double(rate.fraction)))
      if rate.isBeyondPeak { fields.append(("beyond_peak", .boolean(true))) }
    }
    return .object(fields)
  }
}
