extension Span where Element == UInt8 {
  /// The eight bytes from `offset` on as a little-endian word, at any alignment: for loops that look at eight
  /// characters at once.
  ///
  /// - Precondition: they lie within the span.
  @inlinable @inline(__always)
  public func word(at offset: Int) -> UInt64 {
    precondition(offset >= 0 && offset <= count - 8, "eight bytes at \(offset) are outside \(count)")
    return unsafe UInt64(
      littleEndian: bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt64.self))
  }
}

/// The bytes of `values`, least significant first.
package func littleEndianBytes<Integer: FixedWidthInteger>(_ values: [Integer]) -> [UInt8] {
  values.flatMap { value in
    (0..<Integer.bitWidth / 8).map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) }
  }
}
