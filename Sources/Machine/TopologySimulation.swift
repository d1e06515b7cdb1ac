extension Topology {
  /// A machine that this one need not be.
  ///
  /// Processor numbers go core by core through all nodes, siblings behind all cores, as Linux numbers them on x86.
  package static func simulated(
    nodes: Int, cachesPerNode: Int = 1, coresPerCache: Int, siblings: Int = 1, affinity: [Int]? = nil,
    distances: [Int: [Int: Int]] = [:], cpuQuota: Double? = nil
  ) -> Topology {
    let coresPerNode = cachesPerNode * coresPerCache
    let cores = nodes * coresPerNode
    let processors = (0..<cores * siblings).map { id in
      Processor(id: id, core: id % cores, socket: id % cores / coresPerNode, node: id % cores / coresPerNode)
    }
    let caches = (0..<nodes * cachesPerNode).map { cache in
      Cache(
        level: 3, kind: .unified, byteCount: 32 << 20,
        processors: processors.filter { $0.core / coresPerCache == cache }.map(\.id))
    }
    return Topology(
      modelName: "simulated", processors: processors, affinity: affinity ?? processors.map(\.id),
      caches: caches, distances: distances, cpuQuota: cpuQuota)
  }
}
