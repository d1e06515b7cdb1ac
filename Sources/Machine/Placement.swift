import CLinux

/// Which NUMA nodes hold the pages of a buffer. With one node, or a kernel without NUMA, all are the same.
public enum Placement: String, Sendable, CaseIterable {
  /// `interleaved` where there are several nodes, else `local`; where the system refuses to place, `local`.
  /// Tasks go to whichever thread comes, so no range of memory has threads of its own: interleaving gives all of
  /// them the bandwidth of all nodes.
  case automatic
  /// A page lies on the node of the thread that touches it first.
  case local
  /// Pages go round all nodes: every thread sees the same average latency and bandwidth.
  case interleaved
  /// Equal ranges of pages, node by node: the first range on the first node, and so on, so that threads which
  /// use one range can own its pages.
  case split
}

extension Placement {
  /// The nodes whose memory the process may use, ascending; none where the kernel has no NUMA.
  package static let nodes: [Int] = {
    var nodes = [Int32](repeating: 0, count: 1024)
    let count = unsafe clinux_numa_nodes(&nodes, Int32(nodes.count))
    return nodes.prefix(Int(count)).map { Int($0) }
  }()

  /// Byte ranges, one a node in order, which cover `byteCount` bytes, begin at multiples of `grain`, and differ
  /// in length by at most one grain; the last ones are empty when there are fewer grains than nodes.
  package static func split(byteCount: Int, nodes: Int, grain: Int) -> [Range<Int>] {
    let grains = (byteCount + grain - 1) / grain
    func start(_ node: Int) -> Int {
      min(byteCount, (grains / nodes * node + min(node, grains % nodes)) * grain)
    }
    return (0..<nodes).map { start($0)..<start($0 + 1) }
  }

  /// Sets the policy of pages that nobody has touched yet.
  @unsafe func apply(
    to address: UnsafeMutableRawPointer, byteCount: Int, nodes: [Int]
  ) throws(MemoryError) {
    guard byteCount > 0, !nodes.isEmpty else { return }
    switch self {
    case .local:
      return
    case .automatic:
      guard nodes.count > 1 else { return }
      // Containers often forbid mbind; first touch serves whoever asked for nothing in particular.
      try? unsafe Placement.interleaved.apply(to: address, byteCount: byteCount, nodes: nodes)
    case .interleaved:
      let numbers = nodes.map { Int32($0) }
      let error = unsafe clinux_numa_interleave(address, byteCount, numbers, Int32(numbers.count))
      if error != 0 { throw .placementFailed(placement: self, errno: error) }
    case .split:
      // A huge page lies on one node, so ranges end between huge pages where there are enough of them.
      let grain = byteCount >= nodes.count * Buffer.hugePageBytes ? Buffer.hugePageBytes : Buffer.pageBytes
      let ranges = Placement.split(byteCount: byteCount, nodes: nodes.count, grain: grain)
      for (node, range) in zip(nodes, ranges) where !range.isEmpty {
        let error = unsafe clinux_numa_prefer(address + range.lowerBound, range.count, Int32(node))
        if error != 0 { throw .placementFailed(placement: self, errno: error) }
      }
    }
  }
}

extension Tensor {
  /// The NUMA node that holds the first element's page; `nil` where the kernel has no NUMA.
  package var node: Int? {
    // A page has a node only once it is touched.
    self[0] += 0
    var node: Int32 = -1
    return unsafe clinux_numa_node_of_address(pointer, &node) == 0 ? Int(node) : nil
  }
}
