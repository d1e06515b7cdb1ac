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
  /// FLOP and bytes: the one that takes longer at the machine's peak counts.
  case either(flop: Double, bytes: Double)
}

struct Row {
  let suite: SuiteName
  let name: String
  let timing: Timing
  let cost: Cost
  /// Fields of the JSON result beside those that every result has.
  var fields: [(String, JSONText)] = []
  /// What the section's own columns show.
  var cells: [String] = []
  /// A part of the row above it, printed and not written.
  var isPart = false
}

struct Section {
  let title: String
  var columns: [String] = []
  let rows: () -> [Row]
  var notes: [String] = []
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
    case .either(let operations, let traffic):
      let arithmeticBounds = operations / peak.gigaflops() > traffic / peak.gigabytes
      (value, arithmetic, fraction) = arithmeticBounds ? flop(operations, .float32) : bytes(traffic)
    }
  }

  /// What it is 10⁹ of a second, in the table and as a field of the JSON.
  var unit: (text: String, field: String) {
    switch arithmetic {
    case .float32, .bfloat16: ("GFLOP/s", "gflops")
    case .int8: ("GOP/s", "gops")
    case nil: ("GB/s", "gigabytes_per_second")
    }
  }
}

/// Everything that was measured, as tables and as JSON.
struct Report {
  let session: Session
  var sections: [Section] = []

  // MARK: - Tables

  func print() {
    var blocks = [header] + sections.map { text($0) }
    if session.peak.isDisturbed {
      blocks.append("the machine was busy while its peak was measured: take no fraction of it seriously")
    }
    Console.print(blocks.joined(separator: "\n\n"))
  }

  private var header: String {
    let settings = session.settings
    return """
      \(Topology.current)
      this run   \(NumberText.count(settings.threads, "thread")), \
      \(settings.instructionSet.rawValue) kernels: \(NumberText.significant(session.peak.gigaflops(settings.precision.arithmetic))) GFLOP/s in \
      \(settings.precision.rawValue), reads \(NumberText.significant(session.peak.gigabytes)) GB/s
      model      \(settings.modelName): \(ModelText.sizes(settings.configuration))
      batch      \(settings.batchSize) × \(settings.sequenceLength) tokens
      """
  }

  private func text(_ section: Section) -> String {
    var table = [[section.title] + section.columns + ["min ms", "median ms", "max ms", "rate", "of peak"]]
    for row in section.rows() {
      let rate = Rate(row, peak: session.peak)
      let cells =
        row.cells + [row.timing.least, row.timing.median, row.timing.most].map { NumberText.significant($0) }
      let rateText =
        rate.map { "\(NumberText.significant($0.value)) \($0.unit.text)" } ?? "–"
      let fraction = rate.map { "\(Int(min(($0.fraction * 100).rounded(), 1e9))) %" } ?? "–"
      table.append([row.name] + cells + [rateText, fraction])
    }
    return aligned(table) + section.notes.map { "\n" + $0 }.joined()
  }

  // MARK: - JSON

  /// `{"machine": …, "results": […]}`.
  var json: JSONText {
    let topology = Topology.current
    let machine: [(String, JSONText)] = [
      ("cpu", .text(topology.modelName)), ("threads", .integer(session.settings.threads)),
      ("isa", .text(session.settings.instructionSet.rawValue)),
      ("precision", .text(session.settings.precision.rawValue)),
      ("peak_gflops", .double(session.peak.gigaflops(session.settings.precision.arithmetic))),
      ("read_gigabytes_per_second", .double(session.peak.gigabytes)),
      ("sockets", .integer(topology.sockets.count)), ("nodes", .integer(topology.nodes.count)),
      ("cores", .integer(topology.cores.count)),
    ]
    let results = sections.flatMap { $0.rows() }.filter { !$0.isPart }.map(result)
    return .object([("machine", .object(machine)), ("results", .array(results))])
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
    }
    return .object(fields)
  }
}

// MARK: - Text

/// Lines of a table: the first column to the left, the others to the right.
private func aligned(_ table: [[String]]) -> String {
  let widths = table[0].indices.map { column in table.map { $0[column].count }.max() ?? 0 }
  return table.map { line in
    line.indices.map { column in
      column == 0 ? line[column].padded(to: widths[column]) : line[column].aligned(to: widths[column])
    }.joined(separator: "  ")
  }.joined(separator: "\n")
}
