import Machine
import Operators
import Reference
import TestSupport
import Testing

/// One link of the products of bfloat16, bit by bit.
@Suite struct PairedDotTests {
  /// Pairs and sums of every kind: any pattern, denormal, infinite and NaN, zeros, the smallest and the largest
  /// exponents, those about 1, and products about the smallest normal number.
  private struct Links {
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

  /// Every instruction set, and the unit beside it where there is one.
  private static func everyKernel() throws -> [Kernels] {
    try InstructionSet.available.flatMap { set in
      try [false, true].map {
        try ExecutionContext(threads: 1, instructionSet: set, withMatrixUnit: $0).kernels
      }
    }
  }

  /// With AVX512_BF16 these are the processor's own answers, NaNs' patterns included.
  @Test(arguments: 1...4) func allKernelsAgreeToTheBit(_ seed: UInt64) throws {
    let links = Links(1_000_000, seed: seed)
    let kernels = try Self.everyKernel()
    let expected = kernels[kernels.count - 1].dot(links.x, links.y, adding: links.sums)
    #expect(expected.contains { $0.isNaN } && expected.contains { $0.isInfinite } && expected.contains(0))
    for kernel in kernels.dropLast() {
      let difference = firstDifferentBits(kernel.dot(links.x, links.y, adding: links.sums), expected)
      #expect(difference == nil, "\(kernel.pairedName)")
    }
  }

  /// Infinite and NaN results aside, which the reference leaves open.
  @Test func theReferenceSaysSo() throws {
    let links = Links(500_000, seed: 5, isFinite: true)
    func numbers(_ pair: UInt32) -> (even: Float, odd: Float) {
      (Float(bitPattern: pair << 16), Float(bitPattern: pair & 0xFFFF_0000))
    }
    let expected = links.sums.indices.map {
      ReferencePairs.link(links.sums[$0], numbers(links.x[$0]), numbers(links.y[$0]))
    }
    for kernel in try Self.everyKernel() {
      let sums = kernel.dot(links.x, links.y, adding: links.sums)
      let wrong = sums.indices.filter {
        sums[$0].bitPattern != expected[$0].bitPattern && !(sums[$0].isNaN && expected[$0].isNaN)
      }
      #expect(wrong.isEmpty, "\(kernel.pairedName)")
    }
  }

  /// By hand: which of several NaNs remains, denormal operands, sums and results, and what is rounded up to the
  /// smallest normal number.
  @Test func specialValues() throws {
    // x, y, the sum, the result.
    let rows: [(UInt32, UInt32, UInt32, UInt32)] = [
      (0x7F81_7F82, 0x7F83_7F84, 0x7F85_0000, 0x7FC2_0000),
      (0x7F81_3F80, 0x7F83_7F84, 0x7F85_0000, 0x7FC4_0000),
      (0xFF81_3F80, 0x7F83_3F80, 0x7F85_0000, 0xFFC1_0000),
      (0x3F80_3F80, 0x7F83_3F80, 0x7F85_0000, 0x7FC3_0000),
      (0x3F80_3F80, 0x3F80_3F80, 0x7F85_4321, 0x7FC5_4321),
      (0x7F80_0000, 0x0000_0000, 0x3F80_0000, 0xFFC0_0000),
      (0x7F80_0000, 0x007F_0000, 0x3F80_0000, 0xFFC0_0000),
      (0x007F_807F, 0x7F00_7F00, 0x8000_0000, 0x0000_0000),
      (0x0000_0000, 0x0000_0000, 0x8000_0000, 0x0000_0000),
      (0x0000_0000, 0x0000_0000, 0x807F_FFFF, 0x0000_0000),
      // 2⁻¹²⁶·(1 − 2⁻²⁵ − …) stays below with 24 bits, and float would round it up.
      (0x0000_8080, 0x0000_3300, 0x0080_0000, 0x0080_0000),
      (0x0000_8080, 0x0000_3340, 0x0080_0000, 0x0000_0000),
    ]
    for kernel in try Self.everyKernel() {
      for row in rows {
        let sum = kernel.dot([row.0], [row.1], adding: [Float(bitPattern: row.2)])[0].bitPattern
        #expect(sum == row.3, "\(row.0), \(row.1) on \(kernel.pairedName)")
      }
    }
  }
}
