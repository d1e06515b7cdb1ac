/// A line of progress made of parts, some of which matter more than others.
package struct ProgressLine {
  private var parts: [(text: String, importance: Int)] = []
  private static let gap = "  "

  package init() {}

  /// - Parameter importance: the part goes before those of a higher one.
  package mutating func add(_ text: String, importance: Int) { parts.append((text, importance)) }

  /// The parts in their order, without the least important ones where they take more than so many columns; the most
  /// important one stays, and may be wider.
  package func text(columns: Int) -> String {
    var kept = parts
    func joined() -> String { kept.map(\.text).joined(separator: Self.gap) }
    while kept.count > 1, joined().count > columns,
      let least = kept.indices.min(by: { kept[$0].importance < kept[$1].importance })
    {
      kept.remove(at: least)
    }
    return joined()
  }
}
