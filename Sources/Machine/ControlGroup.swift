/// The limits that control groups (cgroup v2, and v1 where it is mounted) set on this process.
///
/// A limit holds for a group and all below it, so every ancestor counts. In a container the path that
/// /proc/self/cgroup gives may not exist below the mount: then its ancestors, up to the mount itself, speak.
enum ControlGroup {
  struct Memory {
    var limit: Int
    /// Without the file cache, which the kernel gives back when memory is needed.
    var usage: Int
  }

  /// CPUs' worth of time per period, the least of all groups; `nil` without a quota.
  static func cpuQuota(_ files: SystemFiles) -> Double? {
    var quotas: [Double] = []
    for directory in directories(files, controller: "cpu") {
      if let words = files.text("\(directory)/cpu.max")?.split(separator: " "), words.count == 2 {
        quotas += [ratio(Int(words[0]), Int(words[1]))].compactMap { $0 }
      }
      let quota = files.integer("\(directory)/cpu.cfs_quota_us")
      quotas += [ratio(quota, files.integer("\(directory)/cpu.cfs_period_us"))].compactMap { $0 }
    }
    return quotas.min()
  }

  private static func ratio(_ quota: Int?, _ period: Int?) -> Double? {
    // "max" in v2 and −1 in v1 say that there is no quota.
    guard let quota, let period, quota > 0, period > 0 else { return nil }
    return Double(quota) / Double(period)
  }

  static func memory(_ files: SystemFiles) -> [Memory] {
    directories(files, controller: "memory").compactMap { directory in
      let v2 = files.integer("\(directory)/memory.max")
      let v1 = files.integer("\(directory)/memory.limit_in_bytes")
      guard let limit = v2 ?? v1, limit >= 0 else { return nil }
      let used =
        files.integer("\(directory)/memory.current") ?? files.integer("\(directory)/memory.usage_in_bytes")
        ?? 0
      let prefix = v2 == nil ? "total_" : ""
      let statistics = files.text("\(directory)/memory.stat") ?? ""
      let cache = ["inactive_file", "active_file"].reduce(0.0) {
        $0 + Double(SystemFiles.value(of: prefix + $1, in: statistics) ?? 0)
      }
      // In Double, because a garbled file may hold any number.
      return Memory(limit: limit, usage: Int(exactly: max(0, Double(used) - cache).rounded()) ?? limit)
    }
  }

  /// The groups that control `controller`, innermost first, below the root of `files`.
  private static func directories(_ files: SystemFiles, controller: String) -> [String] {
    var directories: [String] = []
    let lines = files.text("proc/self/cgroup") ?? "0::/"
    for line in lines.split(separator: "\n") {
      // hierarchy:controllers:path; v2 is hierarchy 0 and names no controllers.
      let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
      guard fields.count == 3 else { continue }
      let controllers = fields[1].split(separator: ",").map { String($0) }
      let isV2 = fields[0] == "0" && controllers.isEmpty
      guard isV2 || controllers.contains(controller) else { continue }
      let mounts = isV2 ? ["", "/unified"] : ["/\(fields[1])", "/\(controller)"]
      let names = fields[2].split(separator: "/").filter { $0 != ".." }
      for mount in mounts {
        for depth in stride(from: names.count, through: 0, by: -1) {
          directories.append((["sys/fs/cgroup\(mount)"] + names.prefix(depth)).joined(separator: "/"))
        }
      }
    }
    return directories
  }
}
