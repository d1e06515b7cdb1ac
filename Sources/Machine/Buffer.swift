import CLinux

/// The one owner of a stretch of memory: zeroed, page-aligned, advised for huge pages, placed on NUMA nodes and
/// optionally locked; unmapped at the end of its life.
///
/// `Arena` gives names and shapes to its parts. Mapping costs no memory traffic: pages come at their first use
/// (at once when locked).
///
/// `@unchecked Sendable`: the fields are constant. The memory itself is shared; `Tensor` says who may use it when.
@safe public struct Buffer: ~Copyable, @unchecked Sendable {
  /// Usable bytes: the size asked for, rounded up to whole pages.
  public let byteCount: Int
  /// What was asked for and not granted, as a sentence for the user; `nil` when all is well.
  public let notice: String?
  @unsafe let address: UnsafeMutableRawPointer
  // The guard page before and the one after, zero where there are none.
  private let guardBytes: Int

  package static let pageBytes = clinux_page_bytes()
  package static let hugePageBytes = 2 << 20

  /// - Parameters:
  ///   - byteCount: at least this many bytes; 0 gives one page.
  ///   - placement: which NUMA nodes hold the pages.
  ///   - parts: the bytes of each tensor, by default all of one; `split` shares each out by itself.
  ///   - shares: whose nodes have what of a tensor.
  ///   - locked: keeps the pages in memory (mlock); where the system refuses, `notice` says so.
  ///   - what: names the use in an error, as in "The parameters".
  /// - Throws: `MemoryError.exceedsMemory` before anything is mapped; `mappingFailed`; `placementFailed`.
  public init(
    byteCount: Int, placement: Placement = .automatic, parts: [Range<Int>]? = nil, shares: NodeShares? = nil,
    locked: Bool = false, what: String = "A buffer"
  ) throws(MemoryError) {
    precondition(byteCount >= 0, "a buffer of \(byteCount) bytes")
    try self.init(
      byteCount: byteCount, placement: placement, parts: parts, shares: shares, locked: locked, what: what,
      guarded: false)
  }

  /// With `guarded`, an inaccessible page lies right before the first byte and right after the last one. Such a
  /// buffer cannot be locked: the lock spans the guard pages, so that tests see a real refusal.
  init(
    byteCount: Int, placement: Placement, parts: [Range<Int>]?, shares: NodeShares?, locked: Bool,
    what: String,
    guarded: Bool
  ) throws(MemoryError) {
    let pages = max(1, byteCount / Self.pageBytes + (byteCount % Self.pageBytes == 0 ? 0 : 1))
    let (mappedBytes, overflow) = pages.multipliedReportingOverflow(by: Self.pageBytes)
    let available = MemoryLimit.current?.availableForBuffers ?? Int.max
    if overflow || mappedBytes > available {
      throw .exceedsMemory(requested: byteCount, available: available, what: what)
    }
    var address: UnsafeMutableRawPointer?
    let error =
      unsafe guarded ? clinux_map_guarded(mappedBytes, &address) : clinux_map_memory(mappedBytes, &address)
    guard error == 0, let address = unsafe address else {
      throw .mappingFailed(byteCount: mappedBytes, errno: error)
    }
    let guardBytes = guarded ? Self.pageBytes : 0
    do throws(MemoryError) {
      try unsafe placement.apply(
        to: address, byteCount: mappedBytes, parts: parts ?? [0..<mappedBytes], shares: shares,
        nodes: Placement.nodes)
    } catch {
      _ = unsafe clinux_unmap(address - guardBytes, mappedBytes + 2 * guardBytes)
      throw error
    }
    notice = locked ? unsafe Self.lock(address - guardBytes, byteCount: mappedBytes + 2 * guardBytes) : nil
    unsafe self.address = unsafe address
    self.byteCount = mappedBytes
    self.guardBytes = guardBytes
    MemoryLimit.buffersMapped(mappedBytes)
  }

  deinit {
    _ = unsafe clinux_unmap(address - guardBytes, byteCount + 2 * guardBytes)
    MemoryLimit.buffersMapped(-byteCount)
  }

  /// Locks the pages in memory; `nil` or the sentence that tells the user why they are not.
  private static func lock(_ address: UnsafeMutableRawPointer, byteCount: Int) -> String? {
    let error = unsafe clinux_lock(address, byteCount)
    if error == 0 { return nil }
    let limit = clinux_lock_limit()
    let limitText = limit >= UInt64(Int.max) ? "unlimited" : byteText(Int(limit))
    return
      "\(byteText(byteCount)) are not locked in memory: \(systemErrorText(error)); RLIMIT_MEMLOCK is \(limitText)."
  }
}
