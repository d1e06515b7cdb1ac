/// XXH64 with seed 0: 64 bits by which damage is noticed, fast enough to be taken of every byte that is saved. It
/// guards against accidents and not against people.
///
///     round(a, w) = rotl(a + w·P₂, 31)·P₁
///     four sums take the words of 32 bytes each; what they come to, the length and the rest are mixed
///
/// - SeeAlso: github.com/Cyan4973/xxHash, doc/xxhash_spec.md; the tool `xxhsum -H1` computes the same.
public enum Checksum {
  private static let prime1: UInt64 = 0x9E37_79B1_85EB_CA87
  private static let prime2: UInt64 = 0xC2B2_AE3D_27D4_EB4F
  private static let prime3: UInt64 = 0x1656_67B1_9E37_79F9
  private static let prime4: UInt64 = 0x85EB_CA77_C2B2_AE63
  private static let prime5: UInt64 = 0x27D4_EB2F_1656_67C5

  /// Of all bytes of a file.
  public static func of(_ file: MappedFile) -> UInt64 { file.withBytes { of($0) } }

  /// - Complexity: 32 bytes in the time of a multiplication, an addition and another multiplication.
  public static func of(_ bytes: RawSpan) -> UInt64 {
    var position = 0
    var hash = prime5
    if bytes.byteCount >= 32 {
      var (a, b, c, d) = (prime1 &+ prime2, prime2, UInt64(0), 0 &- prime1)
      while position <= bytes.byteCount - 32 {
        a = round(a, word(bytes, at: position))
        b = round(b, word(bytes, at: position + 8))
        c = round(c, word(bytes, at: position + 16))
        d = round(d, word(bytes, at: position + 24))
        position += 32
      }
      hash = rotated(a, 1) &+ rotated(b, 7) &+ rotated(c, 12) &+ rotated(d, 18)
      for sum in [a, b, c, d] { hash = (hash ^ round(0, sum)) &* prime1 &+ prime4 }
    }
    hash &+= UInt64(bytes.byteCount)
    return finished(hash, bytes, from: position)
  }

  /// Takes in the at most 31 bytes from `position` on, and mixes.
  private static func finished(_ hash: UInt64, _ bytes: RawSpan, from position: Int) -> UInt64 {
    var (hash, position) = (hash, position)
    while position <= bytes.byteCount - 8 {
      hash = rotated(hash ^ round(0, word(bytes, at: position)), 27) &* prime1 &+ prime4
      position += 8
    }
    if position <= bytes.byteCount - 4 {
      let half = unsafe bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: position, as: UInt32.self)
      hash = rotated(hash ^ UInt64(UInt32(littleEndian: half)) &* prime1, 23) &* prime2 &+ prime3
      position += 4
    }
    while position < bytes.byteCount {
      let byte = unsafe bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: position, as: UInt8.self)
      hash = rotated(hash ^ UInt64(byte) &* prime5, 11) &* prime1
      position += 1
    }
    hash = (hash ^ hash >> 33) &* prime2
    hash = (hash ^ hash >> 29) &* prime3
    return hash ^ hash >> 32
  }

  @inline(__always)
  private static func word(_ bytes: RawSpan, at position: Int) -> UInt64 {
    // Callers stay eight bytes before the end.
    unsafe UInt64(
      littleEndian: bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: position, as: UInt64.self))
  }

  @inline(__always)
  private static func round(_ sum: UInt64, _ word: UInt64) -> UInt64 {
    rotated(sum &+ word &* prime2, 31) &* prime1
  }

  @inline(__always)
  private static func rotated(_ value: UInt64, _ bits: UInt64) -> UInt64 {
    value << bits | value >> (64 - bits)
  }
}

extension Checksum {
  /// Of integers as little-endian bytes.
  public static func of<Integer: FixedWidthInteger & BitwiseCopyable>(_ integers: [Integer]) -> UInt64 {
    // The host is little-endian: CLinux.h refuses to compile elsewhere.
    unsafe of(integers.span.bytes)
  }
}
