import CLinux

/// What the process has used of the machine, as the kernel counts it.
public struct ProcessUsage: Sendable, Equatable {
  /// Page faults served without reading a disk: first touches of memory, mostly.
  public var minorPageFaults: Int
  /// Page faults that waited for a disk.
  public var majorPageFaults: Int
  /// The most physical memory held at any time so far.
  public var peakResidentBytes: Int
  /// The physical memory held now.
  public var residentBytes: Int

  /// The counts now; zeros where the kernel does not tell.
  public static var current: ProcessUsage {
    var usage = clinux_usage()
    _ = unsafe clinux_usage(&usage)
    return ProcessUsage(
      minorPageFaults: Int(usage.minor_faults), majorPageFaults: Int(usage.major_faults),
      peakResidentBytes: Int(usage.peak_resident_bytes), residentBytes: residentBytes().all)
  }

  /// Resident bytes: all of them, and those which back no file.
  static func residentBytes() -> (all: Int, anonymous: Int) {
    // Pages: size, resident, shared (files), and more that does not matter here.
    let pages = SystemFiles().text("proc/self/statm")?.split(separator: " ").map { Int($0) ?? 0 } ?? []
    guard pages.count >= 3 else { return (0, 0) }
    return (pages[1] * Buffer.pageBytes, max(0, pages[1] - pages[2]) * Buffer.pageBytes)
  }
}
