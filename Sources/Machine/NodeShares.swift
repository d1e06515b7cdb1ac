/// How memory is shared out among NUMA nodes: each has the part of a tensor that the threads on it use first.
public struct NodeShares: Sendable, Equatable {
  /// In the order of their shares; one that lends to a node without memory may have several.
  let nodes: [Int]
  private let homes: Homes

  /// Where the slots are; nil where no node has more reason than another to hold a part: the kernel places the threads,
  /// or all are on one node.
  ///
  /// - Parameter memory: the nodes that have memory for this process. A node without takes the nearest one's.
  package init?(_ slots: Slots, memory: [Int], on topology: Topology) {
    guard slots.arePinned, !memory.isEmpty else { return nil }
    var counts: [(node: Int, slots: Int)] = []
    for domain in slots.domains {
      let node = memory.min { topology.distance(domain.node, $0) < topology.distance(domain.node, $1) }
      if let last = counts.last, last.node == node {
        counts[counts.count - 1].slots += domain.slots.count
      } else if let node {
        counts.append((node, domain.slots.count))
      }
    }
    self.init(counts)
  }

  /// Equal shares.
  package init?(of nodes: [Int]) { self.init(nodes.map { ($0, 1) }) }

  private init?(_ counts: [(node: Int, slots: Int)]) {
    guard Set(counts.map(\.node)).count > 1 else { return nil }
    nodes = counts.map(\.node)
    homes = Homes(slotsOf: counts.map(\.slots))
  }

  /// A huge page lies on one node. Shares of so many of them end between two; smaller ones end between small pages,
  /// which costs each a huge page.
  static let hugePagesOfShare = 16

  /// The nodes' shares of a tensor's bytes, whole pages, in order; those that are empty left out.
  ///
  /// - Parameter bytes: where the tensor lies in memory that begins with a page.
  package func ranges(of bytes: Range<Int>) -> [(node: Int, bytes: Range<Int>)] {
    let isLarge = bytes.count >= Self.hugePagesOfShare * nodes.count * Buffer.hugePageBytes
    let page = isLarge ? Buffer.hugePageBytes : Buffer.pageBytes
    func bound(_ byte: Int) -> Int { (byte + page / 2) / page * page }
    return nodes.indices.compactMap { index in
      let share = homes.share(of: bytes.count, index)
      let (start, end) = (bytes.lowerBound + share.lowerBound, bytes.lowerBound + share.upperBound)
      // The tensor's own ends: a page more than less.
      let lower = index == 0 ? start / Buffer.pageBytes * Buffer.pageBytes : bound(start)
      let upper =
        index == nodes.count - 1
        ? (end + Buffer.pageBytes - 1) / Buffer.pageBytes * Buffer.pageBytes : bound(end)
      return lower < upper ? (nodes[index], lower..<upper) : nil
    }
  }
}

extension Parallel {
  /// How memory is shared out among the nodes of these threads; nil where one is as good as another.
  package var nodeShares: NodeShares? { NodeShares(slots, memory: Placement.nodes, on: .current) }
}
