import CLinux

/// A read-only memory map of a file: typed reads at byte offsets, little-endian, without copying the file.
///
/// Copies share one mapping, which goes with the last of them. The file must not shrink while it is mapped: reading a
/// page which is gone ends the process, with a sentence that names the file where `ProcessStart.prepare()` was called;
/// in the page of its new end there are zeros, which `checkSize()` notices.
public struct MappedFile: Sendable {
  public let path: String
  @usableFromInline let mapping: FileMapping

  /// - Throws: `FileError` when `path` is not a readable regular file. An empty one is fine: `byteCount` is 0.
  public init(path: String) throws(FileError) {
    self.path = path
    mapping = try FileMapping(path: path)
  }

  public var byteCount: Int { mapping.byteCount }

  /// Checks, after something was read, that the file has not shrunk since it was mapped: what lay behind its new end and
  /// in the same page is not gone, but zeros.
  ///
  /// - Throws: `FileError.changed`. A file that took its place, or that it was removed, changes nothing here.
  /// - Complexity: a system call.
  public func checkSize() throws(FileError) {
    guard let now = try? FileStatus(path: path), now.identity == mapping.identity, now.byteCount < byteCount
    else { return }
    throw .changed(path: path, before: byteCount, now: now.byteCount)
  }

  /// The little-endian integer at `byteOffset`, at any alignment.
  /// - Precondition: it lies within the file.
  @inlinable  // so that the caller's integer type is known: unspecialized, a read is many calls
  public func read<Integer: FixedWidthInteger & BitwiseCopyable>(
    _ type: Integer.Type, at byteOffset: Int
  ) -> Integer {
    let bytes = unsafe mapping.bytes(at: byteOffset, count: 1, stride: MemoryLayout<Integer>.size)
    return unsafe Integer(littleEndian: bytes.loadUnaligned(as: Integer.self))
  }

  /// All bytes of the file, in place.
  public func withBytes<Result, Failure: Error>(
    _ body: (RawSpan) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    let start = unsafe mapping.bytes(at: 0, count: byteCount, stride: 1)
    return try body(unsafe RawSpan(_unsafeStart: start, byteCount: byteCount))
  }

  /// The bytes in `range`, in place, which are not read again soon: their memory is given back afterwards. A
  /// checkpoint that has been copied into a model would otherwise count as long as the model lives.
  ///
  /// - Precondition: they lie within the file.
  public func withBytes<Result, Failure: Error>(
    in range: Range<Int>, _ body: (RawSpan) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    let start = unsafe mapping.bytes(at: range.lowerBound, count: range.count, stride: 1)
    defer { unsafe clinux_forget_pages(start, range.count) }
    return try body(unsafe RawSpan(_unsafeStart: start, byteCount: range.count))
  }

  /// Whether the bytes in `range` are those in `otherRange` of the other file.
  ///
  /// - Precondition: the ranges lie within their files.
  public func hasSameBytes(in range: Range<Int>, as other: MappedFile, in otherRange: Range<Int>) -> Bool {
    let first = unsafe UnsafeRawBufferPointer(
      start: mapping.bytes(at: range.lowerBound, count: range.count, stride: 1), count: range.count)
    let second = unsafe UnsafeRawBufferPointer(
      start: other.mapping.bytes(at: otherRange.lowerBound, count: otherRange.count, stride: 1),
      count: otherRange.count)
    return unsafe first.elementsEqual(second)
  }
}

/// Owns the mapping.
///
/// `@unchecked Sendable`: all fields are constant and the mapped memory is read-only.
@safe @usableFromInline final class FileMapping: @unchecked Sendable {
  let byteCount: Int
  let identity: FileStatus.Identity
  // Never read when the file is empty: such a file cannot be mapped.
  private let start: UnsafeRawPointer?
  private let mapping: OpaquePointer?

  init(path: String) throws(FileError) {
    let file = try FileDescriptor(path: path, mode: CLINUX_READ)
    byteCount = try file.regularFileSize()
    identity = try file.status().identity
    guard byteCount > 0 else {
      unsafe (start, mapping) = (nil, nil)
      return
    }
    let sentence =
      "error: \(path.shown) should stay as it is while it is used, but has shrunk, or its disk fails.\n"
    var (start, mapping) = unsafe (UnsafeRawPointer?.none, OpaquePointer?.none)
    let error = unsafe clinux_map_file(file.number, byteCount, sentence.cString, &start, &mapping)
    if error != 0 { throw .readFailed(path: path, errno: error) }
    unsafe (self.start, self.mapping) = (start, mapping)
  }

  deinit {
    if let mapping = unsafe mapping { unsafe clinux_unmap_file(mapping) }
  }

  /// Where `count` elements of `stride` bytes begin, after checking that they lie within the file.
  @unsafe @usableFromInline func bytes(at byteOffset: Int, count: Int, stride: Int) -> UnsafeRawPointer {
    let (needed, overflow) = count.multipliedReportingOverflow(by: stride)
    precondition(
      byteOffset >= 0 && count >= 0 && !overflow && byteOffset <= byteCount
        && needed <= byteCount - byteOffset,
      "\(count) × \(stride) bytes at \(byteOffset) are outside a file of \(byteCount)")
    // An aligned address that nobody reads stands in for the empty file's.
    guard let start = unsafe start else { return unsafe UnsafeRawPointer(bitPattern: 64)! }
    return unsafe start + byteOffset
  }
}
