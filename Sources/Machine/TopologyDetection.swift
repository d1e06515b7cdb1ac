import CLinux

extension Topology {
  /// Reads the topology from sysfs and procfs, and the affinity mask from the kernel.
  public static func detect() -> Topology {
    detect(root: "", affinity: currentAffinity())
  }

  /// Reads the topology from sysfs and procfs below `root`.
  /// - Parameter affinity: the ids the process may run on; those that are not online are left out, and with none
  ///   left all processors count as allowed.
  package static func detect(root: String, affinity: [Int]) -> Topology {
    let files = SystemFiles(root: root)
    let processors = detectProcessors(files, affinity: affinity)
    let online = Set(processors.map(\.id))
    let allowed = Set(affinity).intersection(online)
    let memory = MemoryLimit.detect(files)
    return Topology(
      modelName: modelName(files), processors: processors,
      affinity: (allowed.isEmpty ? online : allowed).sorted(),
      caches: detectCaches(files, online: online), distances: detectDistances(files),
      cpuQuota: ControlGroup.cpuQuota(files),
      totalMemoryBytes: memory?.totalBytes, availableMemoryBytes: memory?.availableBytes)
  }

  /// The calling thread's affinity mask.
  package static func currentAffinity() -> [Int] {
    var cpus = [Int32](repeating: 0, count: 1 << 16)
    var count: Int32 = 0
    guard unsafe clinux_affinity(&cpus, Int32(cpus.count), &count) == 0 else { return [] }
    return cpus.prefix(Int(count)).map { Int($0) }
  }

  private static let cpuFolder = "sys/devices/system/cpu"
  private static let nodeFolder = "sys/devices/system/node"

  private static func detectProcessors(_ files: SystemFiles, affinity: [Int]) -> [Processor] {
    let listed = files.list("\(cpuFolder)/online") ?? []
    let ids = listed.isEmpty ? (affinity.isEmpty ? [0] : Set(affinity).sorted()) : listed
    var nodeOfProcessor: [Int: Int] = [:]
    for node in files.list("\(nodeFolder)/online") ?? [] {
      for id in files.list("\(nodeFolder)/node\(node)/cpulist") ?? [] { nodeOfProcessor[id] = node }
    }
    let online = Set(ids)
    return ids.map { id in
      let folder = "\(cpuFolder)/cpu\(id)/topology"
      // The newer name first; kernels before 5.3 have only the older one.
      let siblings =
        files.list("\(folder)/core_cpus_list") ?? files.list("\(folder)/thread_siblings_list") ?? []
      // A list that leaves out its own processor is garbled.
      let core = siblings.contains(id) ? siblings.first { online.contains($0) } ?? id : id
      // Machines without the notion say −1.
      let socket = max(0, files.integer("\(folder)/physical_package_id") ?? 0)
      return Processor(id: id, core: core, socket: socket, node: nodeOfProcessor[id] ?? 0)
    }
  }

  private static func detectDistances(_ files: SystemFiles) -> [Int: [Int: Int]] {
    let nodes = files.list("\(nodeFolder)/online") ?? []
    var distances: [Int: [Int: Int]] = [:]
    for node in nodes {
      let words = files.text("\(nodeFolder)/node\(node)/distance")?.split(separator: " ") ?? []
      let row = words.compactMap { Int($0) }
      // One number for each node that is online, in their order.
      guard row.count == nodes.count, words.count == nodes.count else { continue }
      distances[node] = Dictionary(uniqueKeysWithValues: zip(nodes, row))
    }
    return distances
  }

  private static func detectCaches(_ files: SystemFiles, online: Set<Int>) -> [Cache] {
    var caches: [Cache] = []
    for id in online.sorted() {
      // Indices have no gaps; the bound is for a garbled tree.
      for index in 0..<16 {
        let folder = "\(cpuFolder)/cpu\(id)/cache/index\(index)"
        guard let level = files.integer("\(folder)/level") else { break }
        guard let kind = Cache.Kind(rawValue: files.text("\(folder)/type")?.lowercased() ?? ""),
          let byteCount = files.text("\(folder)/size").flatMap(cacheSize)
        else { continue }
        let shared = files.list("\(folder)/shared_cpu_list") ?? []
        let processors = shared.contains(id) ? shared.filter { online.contains($0) } : [id]
        // Each processor lists the caches it shares: the first one speaks for all.
        guard processors.first == id else { continue }
        caches.append(Cache(level: level, kind: kind, byteCount: byteCount, processors: processors))
      }
    }
    return caches.sorted {
      ($0.level, $0.kind.rawValue, $0.processors[0]) < ($1.level, $1.kind.rawValue, $1.processors[0])
    }
  }

  /// Bytes of a size such as `32K` or `16M`.
  private static func cacheSize(_ text: String) -> Int? {
    let shifts: [Character: Int] = ["K": 10, "M": 20, "G": 30]
    let shift = text.last.flatMap { shifts[$0] }
    guard let value = Int(shift == nil ? text[...] : text.dropLast()), value > 0, value < 1 << 32 else {
      return nil
    }
    return value << (shift ?? 0)
  }

  private static func modelName(_ files: SystemFiles) -> String {
    var fields: [String: String] = [:]
    for line in (files.text("proc/cpuinfo") ?? "").split(separator: "\n") {
      let parts = line.split(separator: ":", maxSplits: 1).map { words($0) }
      // The first processor speaks for all.
      if parts.count == 2, !parts[1].isEmpty, fields[parts[0]] == nil { fields[parts[0]] = parts[1] }
    }
    if let name = fields["model name"] ?? fields["Model"] ?? fields["Hardware"] { return name }
    // Most arm64 kernels give only the numbers of the implementer and its part.
    guard let implementer = fields["CPU implementer"], let part = fields["CPU part"] else {
      return "unknown processor"
    }
    let names = ["0x41": "Arm", "0x46": "Fujitsu", "0x48": "HiSilicon", "0x61": "Apple", "0xc0": "Ampere"]
    return "\(names[implementer] ?? "implementer \(implementer)") part \(part)"
  }

  /// The words of a text with one space between them.
  private static func words(_ text: Substring) -> String {
    text.split { $0.isWhitespace }.joined(separator: " ")
  }
}
