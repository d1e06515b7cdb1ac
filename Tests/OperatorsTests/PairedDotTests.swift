import Machine
import Operators
import Reference
import TestSupport
import Testing

/// One link of the products of bfloat16, bit by bit.
@Suite struct PairedDotTests {
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
    let links = PairedLinks(1_000_000, seed: seed)
    let kernels = try Self.everyKernel()
    let expected = kernels[kernels.count - 1].dot(links.x, links.y, adding: links.sums)
    #expect(expected.contains { $0.isNaN } && expected.contains { $0.isInfinite } && expected.contains(0))
    for kernel in kernels.dropLast() {
      let difference = firstDifferentBits(kernel.dot(links.x, links.y, adding: links.sums), expected)
      #expect(difference == nil, "\(kernel.pairedName())")
    }
  }

  /// Infinite and NaN results aside, which the reference leaves open.
  @Test func theReferenceSaysSo() throws {
    let links = PairedLinks(500_000, seed: 5, isFinite: true)
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
      #expect(wrong.isEmpty, "\(kernel.pairedName())")
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
        #expect(sum == row.3, "\(row.0), \(row.1) on \(kernel.pairedName())")
      }
    }
  }
}
