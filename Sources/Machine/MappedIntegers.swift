extension MappedFile {
  /// `count` little-endian integers from `byteOffset` on, in place: for loops over many, where a `read` each
  /// would take ten times as long.
  ///
  /// - Precondition: they lie within the file; `byteOffset` is a multiple of their size.
  public func withIntegers<Integer: FixedWidthInteger & BitwiseCopyable, Result, Failure: Error>(
    _ type: Integer.Type, at byteOffset: Int, count: Int, _ body: (Span<Integer>) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    let size = MemoryLayout<Integer>.size
    precondition(
      byteOffset >= 0 && byteOffset.isMultiple(of: size) && byteOffset <= byteCount && count >= 0
        && count <= (byteCount - byteOffset) / size,
      "\(count) × \(size) bytes at \(byteOffset) are misaligned or outside a file of \(byteCount)")
    return try withBytes { bytes throws(Failure) in
      // The host is little-endian: CLinux.h refuses to compile elsewhere. A mapping begins at a page.
      let range = bytes.extracting(byteOffset..<byteOffset + count * size)
      return try body(Span(_bytes: range))
    }
  }
}
