/// The generator of the original program, xorshift* with 64 bits of state.
///
///     x ^= x >> 12;  x ^= x << 25;  x ^= x >> 27;  draw = (x · 0x2545F4914F6CDD1D mod 2⁶⁴) >> 32
///
/// - SeeAlso: Vigna 2016, "An experimental exploration of Marsaglia's xorshift generators, scrambled",
///   doi:10.1145/2845077.
public struct XorshiftGenerator: RandomNumberGenerator, Sendable, Equatable {
  /// Never zero.
  public private(set) var state: UInt64

  /// - Parameter seed: the first state. Zero, from which the generator would never leave, is replaced by
  ///   0x9E3779B97F4A7C15.
  public init(seed: UInt64 = 1337) {
    state = seed == 0 ? 0x9E37_79B9_7F4A_7C15 : seed
  }

  /// 32 random bits.
  public mutating func nextUInt32() -> UInt32 {
    state ^= state >> 12
    state ^= state << 25
    state ^= state >> 27
    return UInt32((state &* 0x2545_F491_4F6C_DD1D) >> 32)
  }

  /// A multiple of 2⁻²⁴ in 0..<1, each as likely.
  public mutating func nextFloat() -> Float {
    Float(nextUInt32() >> 8) / 16_777_216
  }

  /// 64 random bits: two draws, the first in the upper half.
  public mutating func next() -> UInt64 {
    let upper = UInt64(nextUInt32())
    return upper << 32 | UInt64(nextUInt32())
  }
}
