/// How a file stores a number: little-endian, in one of three formats that float32 holds exactly.
public enum Precision: String, Sendable, CaseIterable {
  /// IEEE 754 binary32.
  case float32
  /// The upper half of a float32: its range, with 8 significant bits.
  case bfloat16
  /// IEEE 754 binary16: 11 significant bits, magnitudes up to 65504.
  case float16

  /// Of one number.
  public var byteCount: Int { self == .float32 ? 4 : 2 }

  /// The nearest bfloat16, ties to even; a NaN stays one, and what is too large becomes infinite.
  @inline(__always)
  package static func bfloat16Bits(_ number: Float) -> UInt16 {
    let bits = number.bitPattern
    // The addition would carry some NaNs over to infinity; the bit makes them quiet instead.
    if number.isNaN { return UInt16(truncatingIfNeeded: bits >> 16) | 0x40 }
    return UInt16(truncatingIfNeeded: (bits + 0x7FFF + (bits >> 16 & 1)) >> 16)
  }

  /// The nearest float16, ties to even.
  @inline(__always)
  package static func float16Bits(_ number: Float) -> UInt16 { Float16(number).bitPattern }

  @inline(__always)
  package static func float(bfloat16Bits bits: UInt16) -> Float { Float(bitPattern: UInt32(bits) << 16) }

  /// In arithmetic that compilers vectorize for every processor, which a conversion from Float16 is not.
  ///
  /// Exponent and fraction move to their places; multiplying by 2¹¹² corrects the bias, for subnormals too.
  @inline(__always)
  package static func float(float16Bits bits: UInt16) -> Float {
    let magnitude = UInt32(bits & 0x7FFF) << 13
    let finite = (Float(bitPattern: magnitude) * 0x1p112).bitPattern
    // Infinity and NaN have an exponent of all ones.
    let shifted = bits & 0x7C00 == 0x7C00 ? magnitude | 0x7F80_0000 : finite
    return Float(bitPattern: shifted | UInt32(bits & 0x8000) << 16)
  }
}
