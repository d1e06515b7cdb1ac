import CLinux

/// Which NUMA nodes hold the pages of a buffer. With one node, or a kernel without NUMA, all are the same.
public enum Placement: String, Sendable, CaseIterable {
  /// `split` where threads stay on the processors of several nodes, and each part of a tensor has its own; else
  /// `interleaved` where there are several nodes, else `local`. Where the system refuses to place, `local`.
  case automatic
  /// A page lies on the node of the thread that touches it first.
  case local
  /// Pages go round all nodes: every thread sees the same average latency and bandwidth.
  case interleaved
  /// Of each tensor every node has a range of pages, the one that its threads use first (`NodeShares`); equal ranges
  /// where threads have no place. What is too small to share out goes round all nodes.
  case split
}

extension Placement {
  /// The nodes whose memory the process may use, ascending; none where the kernel has no NUMA.
  package static let nodes: [Int] = {
    var nodes = [Int32](repeating: 0, count: 1024)
    let count = unsafe clinux_numa_nodes(&nodes, Int32(nodes.count))
    return nodes.prefix(Int(count)).map { Int($0) }
  }()

  /// Sets the policy of pages that nobody has touched yet.
  ///
  /// - Parameters:
  ///   - parts: the bytes of each tensor.
  ///   - shares: whose nodes have what of a tensor; nil where threads have no place.
  @unsafe func apply(
    to address: UnsafeMutableRawPointer, byteCount: Int, parts: [Range<Int>], shares: NodeShares?,
    nodes: [Int]
  ) throws(MemoryError) {
    if byteCount == 0 { return }
    switch self {
    case .local:
      return
    case .automatic:
      guard nodes.count > 1 else { return }
      let placement = shares == nil ? Placement.interleaved : .split
      // Containers often forbid mbind; first touch serves whoever asked for nothing in particular.
      try? unsafe placement.apply(
        to: address, byteCount: byteCount, parts: parts, shares: shares, nodes: nodes)
    case .interleaved where nodes.isEmpty, .split where nodes.isEmpty:
      // One node is all that there is to choose from; several whose kernel refuses to tell of them are not.
      if Topology.current.nodes.count > 1 { throw .placementFailed(placement: self, errno: CLINUX_EPERM) }
    case .interleaved:
      let numbers = nodes.map { Int32($0) }
      let error = unsafe clinux_numa_interleave(address, byteCount, numbers, Int32(numbers.count))
      if error != 0 { throw .placementFailed(placement: self, errno: error) }
    case .split:
      try unsafe Placement.interleaved.apply(
        to: address, byteCount: byteCount, parts: [], shares: nil, nodes: nodes)
      guard let shares = shares ?? NodeShares(of: nodes) else { return }
      for part in parts where part.count >= shares.nodes.count * Self.leastPages * Buffer.pageBytes {
        for (node, bytes) in shares.ranges(of: part) {
          let error = unsafe clinux_numa_prefer(address + bytes.lowerBound, bytes.count, Int32(node))
          if error != 0 { throw .placementFailed(placement: self, errno: error) }
        }
      }
    }
  }

  /// Of a node's share: less has more neighbours on its pages than it has pages.
  private static let leastPages = 4
}

extension Tensor {
  /// How many of the pages that hold this tensor each NUMA node has; nil where the kernel has no NUMA. Pages that nobody
  /// has touched are left out.
  package var pagesOfNodes: [Int: Int]? {
    let page = Buffer.pageBytes
    let start = unsafe UInt(bitPattern: rawPointer)
    let before = Int(start) % page
    let pages = (before + count * elementType.byteCount + page - 1) / page
    var nodes = [Int32](repeating: -1, count: pages)
    guard unsafe clinux_numa_nodes_of_pages(rawPointer - before, pages, &nodes) == 0 else { return nil }
    return nodes.reduce(into: [:]) { counts, node in
      if node >= 0 { counts[Int(node), default: 0] += 1 }
    }
  }
}
