import Foundation

/// The same numbers for the same seed, on every platform.
///
/// - SeeAlso: Steele, Lea, Flood 2014, "Fast splittable pseudorandom number generators", doi:10.1145/2660193.2660195.
public struct TestRandom: RandomNumberGenerator {
  private var state: UInt64

  public init(seed: UInt64) { state = seed }

  public mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  /// One value in [0, 1), of 53 random bits.
  public mutating func unit() -> Double { Double(next() >> 11) * 0x1p-53 }

  /// Uniform in [lower, upper).
  public mutating func uniform<Scalar: BinaryFloatingPoint>(
    _ count: Int, _ lower: Double = -1, _ upper: Double = 1
  ) -> [Scalar] {
    (0..<count).map { _ in Scalar(lower + (upper - lower) * unit()) }
  }

  /// Normal with this deviation about `mean`, by Box and Muller.
  public mutating func normal<Scalar: BinaryFloatingPoint>(
    _ count: Int, deviation: Double = 1, mean: Double = 0
  ) -> [Scalar] {
    (0..<count).map { _ in
      let radius = (-2 * log(1 - unit())).squareRoot()
      return Scalar(mean + deviation * radius * cos(2 * Double.pi * unit()))
    }
  }

  /// Tokens in 0..<vocabulary.
  public mutating func tokens(_ count: Int, vocabulary: Int) -> [Int32] {
    (0..<count).map { _ in Int32.random(in: 0..<Int32(vocabulary), using: &self) }
  }
}
