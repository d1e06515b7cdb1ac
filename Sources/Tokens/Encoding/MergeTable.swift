/// Which two tokens merge into which third, and in which order: a hash table with open addressing.
struct MergeTable: Sendable {
  /// A merge as one number: its rank in the upper half, so that the smaller comes first, its token in the lower.
  typealias Merge = UInt64
  /// What pairs that do not merge have: after all others.
  static let none = Merge.max

  private struct Slot {
    var pair = MergeTable.none
    var merge = MergeTable.none
  }

  private var slots: [Slot]
  private let shift: UInt64

  /// Room for `capacity` merges.
  init(capacity: Int) {
    // At most half full: searches end soon.
    let bits = max(1, Int.bitWidth - (2 * capacity).leadingZeroBitCount)
    slots = Array(repeating: Slot(), count: 1 << bits)
    shift = UInt64(64 - bits)
  }

  /// What `left` and `right` merge into; `none` where they do not.
  @inline(__always)
  subscript(_ left: Int32, _ right: Int32) -> Merge { slots[index(of: Self.pair(left, right))].merge }

  /// - Precondition: there is room.
  mutating func insert(_ left: Int32, _ right: Int32, token: Int32, rank: Int) {
    let pair = Self.pair(left, right)
    slots[index(of: pair)] = Slot(pair: pair, merge: UInt64(rank) << 32 | UInt64(token))
  }

  @inline(__always)
  static func token(of merge: Merge) -> Int32 { Int32(truncatingIfNeeded: merge) }

  @inline(__always)
  private static func pair(_ left: Int32, _ right: Int32) -> UInt64 {
    UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
  }

  /// The slot that has the pair or would have it.
  @inline(__always)
  private func index(of pair: UInt64) -> Int {
    // The golden ratio's multiples are spread evenly (Knuth, TAOCP 3, 6.4).
    let hash = (pair ^ pair >> 29) &* 0x9E37_79B9_7F4A_7C15
    var index = Int(truncatingIfNeeded: hash >> shift)
    while slots[index].pair != pair && slots[index].pair != Self.none {
      index = (index + 1) & (slots.count - 1)
    }
    return index
  }
}
