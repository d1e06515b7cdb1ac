import Machine

/// bfloat16 and float16 by their definitions, slowly: what conversions are compared with.
///
/// A pattern is a sign, an exponent e and a fraction f of n bits. Its value is f·2^(1 − bias − n) where e is 0,
/// (1 + f/2ⁿ)·2^(e − bias) above, and where e is all ones infinity for f = 0, else NaN.
public struct HalfFormat: Sendable {
  public let fractionBits: Int
  /// The pattern of positive infinity.
  public let infinity: UInt16
  /// Of the patterns from 0 to infinity, ascending; instead of infinity the power of two that would come next.
  private let magnitudes: [Double]

  /// - Precondition: `precision` is one of the two.
  public init(_ precision: Precision) {
    precondition(precision != .float32)
    let fractionBits = precision == .bfloat16 ? 7 : 10
    let bias = precision == .bfloat16 ? 127 : 15
    self.fractionBits = fractionBits
    infinity = UInt16(2 * bias + 1) << fractionBits
    magnitudes = (0...Int(infinity)).map { pattern in
      let (exponent, fraction) = pattern.quotientAndRemainder(dividingBy: 1 << fractionBits)
      return exponent == 0
        ? Double(sign: .plus, exponent: 1 - bias - fractionBits, significand: Double(fraction))
        : Double(
          sign: .plus, exponent: exponent - bias - fractionBits,
          significand: Double(1 << fractionBits + fraction))
    }
  }

  /// What a pattern means; a NaN's fraction lies in the upper bits of the float's.
  public func value(_ pattern: UInt16) -> Float {
    let magnitude = pattern & 0x7FFF
    let sign = UInt32(pattern & 0x8000) << 16
    if magnitude >= infinity {
      let fraction = UInt32(magnitude - infinity) << (23 - fractionBits)
      return Float(bitPattern: sign | 0x7F80_0000 | fraction)
    }
    return Float(bitPattern: sign | Float(magnitudes[Int(magnitude)]).bitPattern)
  }

  /// The pattern nearest to a number, of two that are equally near the even one; of a NaN sign and upper fraction, with
  /// the bit that makes it quiet.
  public func nearest(_ number: Float) -> UInt16 {
    let sign = UInt16(truncatingIfNeeded: number.bitPattern >> 16 & 0x8000)
    if number.isNaN {
      let fraction = UInt16(truncatingIfNeeded: (number.bitPattern & 0x7F_FFFF) >> (23 - fractionBits))
      return sign | infinity | fraction | 1 << (fractionBits - 1)
    }
    let magnitude = Double(number.magnitude)
    // The last pattern that is not above the number.
    var (below, above) = (0, magnitudes.count)
    while above - below > 1 {
      let middle = (below + above) / 2
      if magnitudes[middle] <= magnitude { below = middle } else { above = middle }
    }
    if above == magnitudes.count { return sign | infinity }
    let (down, up) = (magnitude - magnitudes[below], magnitudes[above] - magnitude)
    let isUp = up < down || up == down && below % 2 == 1
    return sign | UInt16(isUp ? above : below)
  }
}
