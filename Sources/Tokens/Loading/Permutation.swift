/// A random order of 0..<count of which nothing is stored: any element is computed by itself.
///
/// A Feistel network over the smallest power of four that is not below `count`, walked until it comes back into the
/// range: at most four times on the average.
///
/// - SeeAlso: Black, Rogaway 2002, "Ciphers with arbitrary finite domains", doi:10.1007/3-540-45760-7_9.
struct Permutation: Sendable {
  let count: Int
  private let random: RandomFunction
  /// Bits of one half.
  private let bits: Int
  /// Each half is changed as often by the other.
  private static let rounds = 8

  /// - Parameters:
  ///   - count: from 1 up.
  ///   - random: each one gives another order.
  init(of count: Int, _ random: RandomFunction) {
    precondition(count >= 1, "an order of \(count)")
    self.count = count
    self.random = random
    let needed = Int.bitWidth - (count - 1).leadingZeroBitCount
    bits = max(1, (needed + 1) / 2)
  }

  /// The element at `index`.
  ///
  /// - Precondition: `index` is in 0..<count.
  subscript(_ index: Int) -> Int {
    precondition((0..<count).contains(index), "element \(index) of \(count)")
    var value = index
    repeat { value = shuffled(value) } while value >= count
    return value
  }

  private func shuffled(_ value: Int) -> Int {
    let mask = 1 << bits - 1
    var (left, right) = (value >> bits, value & mask)
    for round in 0..<Self.rounds {
      let bits = Int(truncatingIfNeeded: random[right * Self.rounds + round])
      (left, right) = (right, left ^ bits & mask)
    }
    return left << bits | right
  }
}
