import Synchronization

/// How much memory the process can still take: the machine's, or less where its control group sets a limit.
struct MemoryLimit: Sendable, Equatable {
  var totalBytes: Int
  var availableBytes: Int

  // Bytes mapped by buffers that are alive.
  private static let mapped = Atomic<Int>(0)

  static func buffersMapped(_ byteCount: Int) {
    mapped.add(byteCount, ordering: .relaxed)
  }

  /// This machine's, now; `nil` where the kernel does not tell.
  static var current: MemoryLimit? { detect(SystemFiles()) }

  /// The available bytes, less what buffers have mapped and not touched yet, which the kernel does not count as
  /// used: the second of two arenas that do not fit together is refused. An estimate from below, since resident
  /// memory outside buffers counts as touched.
  var availableForBuffers: Int {
    let untouched = Self.mapped.load(ordering: .relaxed) - ProcessUsage.residentBytes().anonymous
    return max(0, availableBytes - max(0, untouched))
  }

  static func detect(_ files: SystemFiles) -> MemoryLimit? {
    guard let text = files.text("proc/meminfo"),
      let total = kibibytes("MemTotal", in: text), let available = kibibytes("MemAvailable", in: text)
    else { return nil }
    let groups = ControlGroup.memory(files)
    return MemoryLimit(
      totalBytes: groups.reduce(total) { min($0, $1.limit) },
      availableBytes: groups.reduce(available) { min($0, max(0, $1.limit - $1.usage)) })
  }

  private static func kibibytes(_ name: String, in text: String) -> Int? {
    guard let value = SystemFiles.value(of: name, in: text), value >= 0, value < Int.max >> 10 else {
      return nil
    }
    return value << 10
  }
}
