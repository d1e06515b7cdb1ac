/// The machine as the process sees it: processors, cores, sockets, NUMA nodes, caches, memory and the limits of
/// its control group.
///
/// Whatever the kernel does not tell has a plain fallback (one socket, one node, no SMT, no caches), so a
/// topology always has a processor.
public struct Topology: Sendable, Equatable {
  /// A logical processor, which runs one thread at a time.
  public struct Processor: Sendable, Equatable {
    /// The kernel's number.
    public var id: Int
    /// The lowest id of the processors that share this physical core.
    public var core: Int
    /// The kernel's number of the physical package.
    public var socket: Int
    /// The NUMA node.
    public var node: Int

    package init(id: Int, core: Int, socket: Int, node: Int) {
      (self.id, self.core, self.socket, self.node) = (id, core, socket, node)
    }
  }

  public struct Cache: Sendable, Equatable {
    public enum Kind: String, Sendable { case data, instruction, unified }

    public var level: Int
    public var kind: Kind
    public var byteCount: Int
    /// The ids of the processors that share it.
    public var processors: [Int]

    package init(level: Int, kind: Kind, byteCount: Int, processors: [Int]) {
      (self.level, self.kind, self.byteCount, self.processors) = (level, kind, byteCount, processors)
    }
  }

  /// As the processor names itself: "AMD EPYC 9654".
  public var modelName: String
  /// All that are online, by id.
  public var processors: [Processor]
  /// The ids of those this process may run on: the affinity mask when the topology was detected.
  public var affinity: [Int]
  /// Each once, by level, kind and first processor.
  public var caches: [Cache]
  /// What the firmware says of how far each node's memory is from each other one's: 10 is a node's own. Empty where it
  /// says nothing.
  public var distances: [Int: [Int: Int]] = [:]
  /// CPUs' worth of time that the control group grants, such as 1.5; `nil` without a quota.
  public var cpuQuota: Double?
  /// Of the machine, or of the control group where that is less; `nil` where the kernel does not tell.
  public var totalMemoryBytes: Int?
  /// What could be had when the topology was detected.
  public var availableMemoryBytes: Int?

  /// This machine when it was first asked about.
  public static let current = detect()

  package init(
    modelName: String, processors: [Processor], affinity: [Int], caches: [Cache],
    distances: [Int: [Int: Int]] = [:], cpuQuota: Double? = nil, totalMemoryBytes: Int? = nil,
    availableMemoryBytes: Int? = nil
  ) {
    self.modelName = modelName
    self.processors = processors
    self.affinity = affinity
    self.caches = caches
    self.distances = distances
    self.cpuQuota = cpuQuota
    self.totalMemoryBytes = totalMemoryBytes
    self.availableMemoryBytes = availableMemoryBytes
  }
}

extension Topology {
  /// The ids of physical cores, one a core.
  public var cores: [Int] { Set(processors.map(\.core)).sorted() }

  public var sockets: [Int] { Set(processors.map(\.socket)).sorted() }

  /// NUMA nodes that have processors.
  public var nodes: [Int] { Set(processors.map(\.node)).sorted() }

  /// The most processors that share a core: 1 without SMT.
  public var threadsPerCore: Int {
    Dictionary(grouping: processors, by: \.core).values.map(\.count).max() ?? 1
  }

  /// The processors that share a core with `processor`, itself included; none for one that is not online.
  public func siblings(of processor: Int) -> [Int] {
    guard let core = processors.first(where: { $0.id == processor })?.core else { return [] }
    return processors.filter { $0.core == core }.map(\.id)
  }

  /// How far a node's memory is from another one: 10 its own, 20 unless the firmware knows.
  public func distance(_ node: Int, _ other: Int) -> Int {
    distances[node]?[other] ?? (node == other ? 10 : 20)
  }

  /// How many threads to use when nobody says: one a physical core of the affinity mask, because SMT siblings
  /// share their core's vector units, and no more than the CPU quota, rounded up; at least 1.
  public var defaultThreads: Int {
    let allowed = Set(affinity)
    let cores = Set(processors.filter { allowed.contains($0.id) }.map(\.core)).count
    return max(1, min(cores, wholeQuota))
  }

  /// How many threads can run at the same time: one on each processor of the affinity mask, and no more than the CPU
  /// quota, rounded up; at least 1.
  var processorsAtOnce: Int { max(1, min(affinity.count, wholeQuota)) }

  private var wholeQuota: Int { cpuQuota.map { Int(min($0.rounded(.up), 1e6)) } ?? Int.max }
}

extension Topology: CustomStringConvertible {
  /// A few lines for people: processor, caches, memory.
  public var description: String {
    var lines = ["processor  \(modelName)"]
    var counts = [
      text(sockets.count, "socket"), text(nodes.count, "NUMA node"), text(cores.count, "core"),
      text(processors.count, "logical processor"),
    ]
    if affinity.count < processors.count { counts.append("\(affinity.count) of them allowed") }
    if let cpuQuota { counts.append("a quota of \(cpuQuota) CPUs") }
    lines.append("           " + counts.joined(separator: ", "))
    if !caches.isEmpty { lines.append("caches     " + cacheText) }
    if let totalMemoryBytes, let availableMemoryBytes {
      let available = shortByteText(availableMemoryBytes)
      lines.append("memory     \(shortByteText(totalMemoryBytes)), \(available) available")
    }
    lines.append("threads    \(defaultThreads) by default")
    return lines.joined(separator: "\n")
  }

  private var cacheText: String {
    var kinds: [(title: String, byteCount: Int, count: Int)] = []
    for cache in caches {
      let title = "L\(cache.level)" + (cache.kind == .data ? "d" : cache.kind == .instruction ? "i" : "")
      if let index = kinds.firstIndex(where: { $0.title == title && $0.byteCount == cache.byteCount }) {
        kinds[index].count += 1
      } else {
        kinds.append((title, cache.byteCount, 1))
      }
    }
    return kinds.map { "\($0.title) \($0.count) × \(shortByteText($0.byteCount))" }.joined(separator: ", ")
  }

  private func text(_ count: Int, _ noun: String) -> String {
    "\(count) \(noun)\(count == 1 ? "" : "s")"
  }
}
