/// 64 random bits for each index: any of them is there at once, and none depends on those before it.
///
///     bits(i) = mix(key + i · 0x9E3779B97F4A7C15)
///
/// mix is the last part of SplitMix64, whose i-th draw after `key` this is. Nothing but the key is stored.
///
/// - SeeAlso: Steele, Lea, Flood 2014, "Fast splittable pseudorandom number generators",
///   doi:10.1145/2660193.2660195.
struct RandomFunction: Sendable, Equatable {
  private let key: UInt64
  private static let increment: UInt64 = 0x9E37_79B9_7F4A_7C15

  private init(key: UInt64) { self.key = key }

  /// - Parameter seed: mixed first, so that neighbours have nothing in common.
  init(seed: UInt64) { key = Self.mix(seed &+ Self.increment) }

  subscript(_ index: Int) -> UInt64 {
    Self.mix(key &+ UInt64(truncatingIfNeeded: index) &* Self.increment)
  }

  /// A number in 0..<count, each as likely within count · 2⁻⁶⁴.
  func number(below count: Int, at index: Int) -> Int {
    Int(self[index].multipliedFullWidth(by: UInt64(count)).high)
  }

  /// Another one for each index.
  func part(_ index: Int) -> RandomFunction { RandomFunction(key: Self.mix(~self[index])) }

  private static func mix(_ bits: UInt64) -> UInt64 {
    var bits = bits
    bits = (bits ^ bits >> 30) &* 0xBF58_476D_1CE4_E5B9
    bits = (bits ^ bits >> 27) &* 0x94D0_49BB_1331_11EB
    return bits ^ bits >> 31
  }
}
