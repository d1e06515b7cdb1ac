import Terminal

/// What stands in a column of a table.
enum Cell: ExpressibleByStringInterpolation {
  case text(String)
  /// With as many digits after the point as its column has.
  case number(Double)

  init(stringLiteral text: String) { self = .text(text) }

  fileprivate var number: Double? { if case .number(let value) = self { value } else { nil } }
}

/// Lines below headings: the first column to the left, the others to the right, the points of numbers aligned.
struct Table {
  var headings: [String]
  var rows: [[Cell]] = []

  /// The rows as they are read.
  var texts: [[String]] {
    let columns = headings.indices.map { column in texts(rows.map { $0[column] }) }
    return rows.indices.map { row in columns.map { $0[row] } }
  }

  var text: String {
    let columns = headings.indices.map { column in [headings[column]] + texts(rows.map { $0[column] }) }
    let widths = columns.map { $0.map(\.count).max() ?? 0 }
    return (0...rows.count).map { line in
      headings.indices.map { column in
        let text = columns[column][line]
        return column == 0 ? text.padded(to: widths[column]) : text.aligned(to: widths[column])
      }.joined(separator: "  ")
    }.joined(separator: "\n")
  }

  private func texts(_ cells: [Cell]) -> [String] {
    let digits = Self.digits(for: cells.compactMap(\.number))
    return cells.map { cell in
      switch cell {
      case .text(let text): text
      case .number(let value): value.isFinite ? NumberText.fixed(value, digits) : "–"
      }
    }
  }

  /// Digits after the point of a column: three significant ones of its smallest number, where three places hold them.
  static func digits(for values: [Double]) -> Int {
    guard let least = values.filter({ $0 > 0 }).min() else { return 0 }
    return switch least {
    case 100...: 0
    case 10...: 1
    case 1...: 2
    default: 3
    }
  }
}
