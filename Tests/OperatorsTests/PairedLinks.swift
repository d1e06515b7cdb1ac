import TestSupport

/// Pairs and sums of every kind: any pattern, denormal, infinite and NaN, zeros, the smallest and the largest
/// exponents, those about 1, and products about the smallest normal number.
struct PairedLinks {
  var x: [UInt32] = [], y: [UInt32] = []
  var sums: [Float] = []

  init(_ count: Int, seed: UInt64, isFinite: Bool = false) {
    var random = TestRandom(seed: seed)
    while sums.count < count {
      var (x, y) = (Self.pair(&random), Self.pair(&random))
      if random.next() % 4 == 0 { Self.makeSmall(&x, &y, &random) }
      let sum = Self.sum(&random)
      if isFinite, !Self.isFinite(x) || !Self.isFinite(y) || !sum.isFinite { continue }
      self.x.append(x)
      self.y.append(y)
      sums.append(sum)
    }
  }

  private static func isFinite(_ pair: UInt32) -> Bool {
    pair & 0x7F80_0000 != 0x7F80_0000 && pair & 0x7F80 != 0x7F80
  }

  private static func pair(_ random: inout TestRandom) -> UInt32 { half(&random) | half(&random) << 16 }

  private static func half(_ random: inout TestRandom) -> UInt32 {
    let bits = UInt32(truncatingIfNeeded: random.next())
    let (rest, choice) = (bits & 0x807F, bits >> 20)
    func exponent(_ value: UInt32) -> UInt32 { rest | value << 7 }
    switch random.next() % 8 {
    case 0: return bits & 0xFFFF
    case 1: return exponent(0)
    case 2: return choice % 4 == 0 ? exponent(255) : bits & 0x8000 | 0x7F80
    case 3: return bits & 0x8000
    case 4: return exponent(1 + choice % 64)
    case 5: return exponent(123 + choice % 8)
    case 6: return exponent(60 + choice % 8)
    default: return exponent(254 - choice % 8)
    }
  }

  private static func sum(_ random: inout TestRandom) -> Float {
    let bits = UInt32(truncatingIfNeeded: random.next())
    let (rest, choice) = (bits & 0x807F_FFFF, UInt32(truncatingIfNeeded: random.next()))
    func exponent(_ value: UInt32) -> UInt32 { rest | value << 23 }
    let pattern =
      switch random.next() % 8 {
      case 0: bits
      case 1: exponent(0)
      case 2: choice % 2 == 0 ? exponent(255) : bits & 0x8000_0000 | 0x7F80_0000
      case 3: bits & 0x8000_0000
      case 4: exponent(1 + choice % 4)
      case 5: exponent(123 + choice % 8)
      case 6: bits & 0x8000_0003 | 0x0080_0000
      default: exponent(254 - choice % 4)
      }
    return Float(bitPattern: pattern)
  }

  /// One product between 2⁻¹⁶² and 2⁻¹²³, half of the time beside a zero.
  private static func makeSmall(_ x: inout UInt32, _ y: inout UInt32, _ random: inout TestRandom) {
    let first = 1 + UInt32(random.next() % 120)
    let second = min(max(128 + UInt32(random.next() % 40) - 36, first) - first, 254)
    let bits = UInt32(truncatingIfNeeded: random.next())
    let (left, right) = (bits & 0x807F | first << 7, bits >> 16 & 0x807F | second << 7)
    let isOdd = bits & 0x100 != 0
    let (kept, shift): (UInt32, UInt32) = isOdd ? (0xFFFF, 16) : (0xFFFF_0000, 0)
    let others = random.next() % 2 == 0 ? kept : 0
    (x, y) = (x & others | left << shift, y & kept | right << shift)
  }
}
