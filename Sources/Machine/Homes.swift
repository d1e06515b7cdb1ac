/// Which domain's threads a task or a byte belongs to: equal shares of 0..<n for equal numbers of slots.
///
/// The same share of a tensor's rows is read, computed and updated by the threads of one domain from pass to pass, and
/// may lie in their node's memory.
public struct Homes: Sendable, Equatable {
  /// Slots before each domain, and all of them.
  private let bounds: [Int]
  /// How many there are.
  public let domains: Int

  /// Those of the domains that these slots form.
  public init(_ slots: Slots) { self.init(slotsOf: slots.domains.map(\.slots.count)) }

  /// - Precondition: at least one slot.
  package init(slotsOf domains: [Int]) {
    self.domains = domains.count
    bounds = domains.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1) }
    precondition(bounds[domains.count] > 0, "homes without slots")
  }

  /// The share of `domain` of 0..<count. Shares follow each other and cover all of it.
  @inline(__always)
  public func share(of count: Int, _ domain: Int) -> Range<Int> {
    if domains == 1 { return 0..<count }
    let slots = bounds[domains]
    return count * bounds[domain] / slots..<count * bounds[domain + 1] / slots
  }

  /// What each domain's share of 0..<count has of some ranges, in pieces: for work that is done by and by, each time on
  /// some of every domain's pieces.
  ///
  /// - Parameters:
  ///   - ranges: within 0..<count, ascending.
  ///   - number: a piece is this part of its domain's share at the most; 1: ranges are cut between domains alone.
  /// - Returns: the pieces of each domain, ascending, none empty.
  package func pieces(of ranges: [Range<Int>], in count: Int, number: Int) -> [[Range<Int>]] {
    var next = 0
    return (0..<domains).map { domain in
      let share = share(of: count, domain)
      let size = max(1, share.count / number)
      var pieces: [Range<Int>] = []
      while next < ranges.count, ranges[next].lowerBound < share.upperBound {
        let range = ranges[next].clamped(to: share)
        for start in stride(from: range.lowerBound, to: range.upperBound, by: size) {
          pieces.append(start..<min(range.upperBound, start + size))
        }
        if ranges[next].upperBound > share.upperBound { break }
        next += 1
      }
      return pieces
    }
  }
}
