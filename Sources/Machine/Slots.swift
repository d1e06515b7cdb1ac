/// Where the threads of a pass are: one slot each, in domains of slots whose cores share a last-level cache.
///
/// Slots are numbered domain by domain, domains node by node, so that equal shares of consecutive slots are neighbours.
/// Which slot a thread has decides which tasks it takes first and which scratch it uses, and no bit of a result.
public struct Slots: Sendable, Equatable {
  /// Slots that share a last-level cache.
  public struct Domain: Sendable, Equatable {
    /// The NUMA node.
    public let node: Int
    /// The numbers of its slots.
    public let slots: Range<Int>
    /// The other domains, nearest first: whom its threads help when they have nothing left.
    public let others: [Int]
  }

  /// The processor of each slot; empty where the kernel places the threads.
  public let processors: [Int]
  /// At least one; the only one where the kernel places the threads.
  public let domains: [Domain]
  /// As many as threads.
  public let count: Int
  /// Why threads are not where somebody may expect them, as a sentence for the user; nil where all is as asked for.
  public let notice: String?

  /// Whether a thread stays on the processor of its slot while a pass lasts.
  public var arePinned: Bool { !processors.isEmpty }

  /// Threads that the kernel places: one domain.
  package init(unpinned count: Int, notice: String? = nil) {
    processors = []
    domains = [Domain(node: 0, slots: 0..<count, others: [])]
    self.count = count
    self.notice = notice
  }

  private init(_ seats: [Seat], _ topology: Topology) {
    let groups = Dictionary(grouping: seats.indices) { seats[$0].group }
    let ranges = groups.sorted { $0.key < $1.key }.map { $0.value[0]..<$0.value[$0.value.count - 1] + 1 }
    let nodes = ranges.map { seats[$0.lowerBound].group.node }
    processors = seats.map(\.processor)
    count = seats.count
    notice = nil
    domains = ranges.indices.map { domain in
      let others = ranges.indices.filter { $0 != domain }
      return Domain(
        node: nodes[domain], slots: ranges[domain],
        others: others.sorted {
          let near = (topology.distance(nodes[domain], nodes[$0]), abs($0 - domain))
          return near < (topology.distance(nodes[domain], nodes[$1]), abs($1 - domain))
        })
    }
  }

  /// Cores that share a last-level cache, within a node.
  fileprivate struct Group: Hashable, Comparable {
    let node, cache: Int

    static func < (left: Group, right: Group) -> Bool {
      (left.node, left.cache) < (right.node, right.cache)
    }
  }

  private struct Seat {
    let group: Group
    let processor: Int
  }

  /// One slot a core, the nearest ones first; where threads are more than cores, siblings take slots, too.
  ///
  /// - Parameter threads: at most the processors that may be used.
  package init(pinned threads: Int, on topology: Topology) {
    precondition((1...max(1, topology.affinity.count)).contains(threads), "\(threads) threads")
    let allowed = Set(topology.affinity)
    let processors = topology.processors.filter { allowed.contains($0.id) }
    // The first processors of all cores, then the second ones.
    var seen: [Int: Int] = [:]
    let ranked = processors.map { processor in
      let rank = seen[processor.core, default: 0]
      seen[processor.core] = rank + 1
      return (rank, Seat(group: topology.group(of: processor), processor: processor.id))
    }
    let chosen = ranked.sorted { ($0.0, $0.1.group, $0.1.processor) < ($1.0, $1.1.group, $1.1.processor) }
      .prefix(threads)
    self.init(
      chosen.map(\.1).sorted { ($0.group, $0.processor) < ($1.group, $1.processor) }, topology)
  }

  /// Pinned where as many threads as the affinity mask has cores, or more, have a processor each. Fewer would all choose
  /// the same cores, in this process and in the one beside it: the kernel places them, unless a mask says where.
  package init(for threads: Int, on topology: Topology, isAllowed: () -> Bool) {
    let allowed = Set(topology.affinity)
    let cores = Set(topology.processors.filter { allowed.contains($0.id) }.map(\.core)).count
    guard threads > 1, threads >= cores, threads <= topology.affinity.count else {
      self.init(unpinned: threads)
      return
    }
    if let quota = topology.cpuQuota, quota < Double(threads) {
      self.init(
        unpinned: threads,
        notice: """
          \(threads) threads have \(quota) CPUs' worth of time, a quota of the control group: they are not tied to \
          processors.
          """)
      return
    }
    guard isAllowed() else {
      self.init(
        unpinned: threads,
        notice: "The system does not let threads be tied to processors: they go where the kernel puts them.")
      return
    }
    self.init(pinned: threads, on: topology)
  }
}

extension Topology {
  fileprivate func group(of processor: Processor) -> Slots.Group {
    let last = caches.filter { $0.level >= 3 && $0.processors.contains(processor.id) }.max {
      $0.level < $1.level
    }
    // A cache that the kernel says is one core's own, as many virtual machines do, holds nothing together.
    let cores = last.map { cache in Set(processors.filter { cache.processors.contains($0.id) }.map(\.core)) }
    guard let last, (cores?.count ?? 0) > 1 else { return Slots.Group(node: processor.node, cache: -1) }
    return Slots.Group(node: processor.node, cache: last.processors[0])
  }
}

extension Slots {
  /// The slots in which a thread on `processor` would like to be, the nearest first.
  package func nearest(to processor: Int) -> [Int] {
    guard let own = processors.firstIndex(of: processor),
      let domain = domains.first(where: { $0.slots.contains(own) })
    else { return Array(0..<count) }
    let inDomain = domain.slots.sorted { abs($0 - own) < abs($1 - own) }
    return inDomain + domain.others.flatMap { Array(domains[$0].slots) }
  }
}
