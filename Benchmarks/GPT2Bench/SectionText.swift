import Machine
import Terminal

/// A section as a table: one unit a column.
struct SectionText {
  private let section: Section
  private let rows: [Row]
  private let rates: [Rate?]

  init(_ section: Section, peak: Peak) {
    self.section = section
    rows = section.rows().filter { !$0.isFolded }
    rates = rows.map { Rate($0, peak: peak) }
  }

  var text: String { ([table.text] + notes).joined(separator: "\n") }

  var notes: [String] {
    let kinds = zip(rows, rates).map { standing($0, $1).kind }
    return section.notes + Standing.allCases.filter { kinds.contains($0) }.map(\.note)
  }

  var table: Table {
    // Of the rates' units those that occur.
    let units = rates.compactMap { $0?.unit.text }.reduce(into: [String]()) { units, unit in
      if !units.contains(unit) { units.append(unit) }
    }
    let fractions = zip(rows, rates).map(standing)
    let times = timeColumns
    var table = Table(
      headings: [section.title] + section.columns + times.headings + units
        + (units.isEmpty ? [] : ["of peak"]))
    for (index, row) in rows.enumerated() {
      let rate = rates[index]
      let rateCells = units.map { unit in rate?.unit.text == unit ? Cell.number(rate?.value ?? 0) : "–" }
      table.rows.append(
        [.text(row.name)] + row.cells + times.cells[index] + rateCells
          + (units.isEmpty ? [] : [.text(fractions[index].text)]))
    }
    return table
  }

  /// Least, median and most in one unit with the same digits: microseconds where all are below 10 ms.
  private var timeColumns: (headings: [String], cells: [[Cell]]) {
    let isShort = rows.allSatisfy { $0.timing.most < 10 }
    let (unit, factor) = isShort ? ("µs", 1e3) : ("ms", 1)
    let times = rows.map { [$0.timing.least, $0.timing.median, $0.timing.most].map { $0 * factor } }
    let digits = Table.digits(for: times.flatMap { $0 })
    return (
      ["min", "median", "max"].map { "\($0) \(unit)" },
      times.map { $0.map { .text(NumberText.fixed($0, digits)) } }
    )
  }

  // MARK: - Fractions

  /// Why a row has no fraction of the peak though it has a rate.
  private enum Standing: CaseIterable {
    case cached, beyond

    var text: String { self == .cached ? "cached" : "> peak" }

    var note: String {
      switch self {
      case .cached:
        "cached: faster than memory, as its bytes fit the last caches "
          + "(\(NumberText.bytes(Topology.current.lastCacheBytes)))"
      case .beyond:
        "> peak: more than \(NumberText.fixed(100 * Rate.margin, 0)) % above the limit that this run measured, so no "
          + "share of it (--help says why)"
      }
    }
  }

  private func standing(_ row: Row, _ rate: Rate?) -> (text: String, kind: Standing?) {
    guard let rate else { return ("–", nil) }
    guard rate.isBeyondPeak else { return ("\(NumberText.fixed(100 * rate.fraction, 0)) %", nil) }
    let isCached = rate.arithmetic == nil && row.cost.bytes <= Double(Topology.current.lastCacheBytes)
    let kind: Standing = isCached ? .cached : .beyond
    return (kind.text, kind)
  }
}

extension Cost {
  /// What must come from or go to memory.
  fileprivate var bytes: Double {
    switch self {
    case .none, .arithmetic: 0
    case .traffic(let bytes), .either(_, let bytes, _): bytes
    }
  }
}

extension Topology {
  /// Bytes of the caches of the highest level, all of them together.
  var lastCacheBytes: Int {
    let last = caches.map(\.level).max() ?? 0
    return caches.filter { $0.level == last && $0.kind != .instruction }.reduce(0) { $0 + $1.byteCount }
  }
}
