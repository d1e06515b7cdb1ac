import CKernels

extension Kernels {
  /// Products that are summed by themselves before they are added to C, in the order of tiles.
  package static let tileLink = CK_BF16_LINK

  /// What AMX adds otherwise than its portable form does, in words; nil: all bits are the same. Microseconds.
  ///
  /// - Precondition: AMX's instructions may be executed, and AVX-512 is there.
  static func tileDifference() -> String? {
    guard let unit = unsafe ck_bf16_amx(), let table = unsafe ck_kernels_avx512(),
      let portable = unsafe table.pointee.bf16_tiles
    else { return "everything" }
    var scratch = unsafe [Float](repeating: 0, count: max(unit.pointee.scratch, portable.pointee.scratch))
    return TileCheck.all.first {
      unsafe $0.bits(of: unit, scratch: &scratch) != $0.bits(of: portable, scratch: &scratch)
    }?.kind
  }
}

/// A product that the unit and the portable form are compared on: C (M, N) += A (M, K)·B (K, N).
private struct TileCheck {
  let kind: String
  var (rows, columns) = (1, 1)
  let a, b: [UInt16]
  let c: [Float]

  /// What C becomes; the bits of all NaNs are the same.
  func bits(of kernels: UnsafePointer<ck_bf16>, scratch: inout [Float]) -> [UInt32] {
    var c = c
    unsafe a.withUnsafeBufferPointer { a in
      unsafe b.withUnsafeBufferPointer { b in
        unsafe c.withUnsafeMutableBufferPointer { c in
          unsafe scratch.withUnsafeMutableBufferPointer { scratch in
            let depth = a.count / rows
            var arguments = unsafe ck_bf16_gemm()
            unsafe (arguments.a, arguments.a_row, arguments.a_k) = (a.baseAddress, depth, 1)
            unsafe (arguments.b, arguments.b_k) = (b.baseAddress, columns)
            unsafe (arguments.c, arguments.ldc, arguments.accumulate) = (c.baseAddress, columns, 1)
            unsafe (arguments.m, arguments.n, arguments.k) = (rows, columns, depth)
            unsafe kernels.pointee.gemm(&arguments, scratch.baseAddress)
          }
        }
      }
    }
    return c.map { $0.isNaN ? Float.nan.bitPattern : $0.bitPattern }
  }

  /// Of one element.
  private init(_ kind: String, _ a: [UInt16], _ b: [UInt16], addedTo c: Float) {
    (self.kind, self.a, self.b, self.c) = (kind, a, b, [c])
  }

  /// Of numbers of 8 bits, of both signs, between 2⁻⁷ and 2: sizes that no tile divides, two links and one that ends in
  /// zeros.
  private init(_ kind: String, rows: Int, columns: Int, depth: Int) {
    var state: UInt32 = 1
    func numbers(_ count: Int) -> [UInt16] {
      (0..<count).map { _ in
        state = state &* 1_664_525 &+ 1_013_904_223
        return UInt16(truncatingIfNeeded: state >> 16) & 0x83FF | 0x3C00
      }
    }
    (self.kind, self.rows, self.columns) = (kind, rows, columns)
    (a, b) = (numbers(rows * depth), numbers(depth * columns))
    c = (0..<rows * columns).map { Float($0) }
  }

  private static let one: UInt16 = 0x3F80

  static let all: [TileCheck] = {
    let (small, special) = ("numbers below the normal ones", "infinities and NaN")
    return [
      TileCheck("numbers", rows: 19, columns: 50, depth: 71),
      // 2²⁴ + (1 + 1), not (2²⁴ + 1) + 1.
      TileCheck("even and odd elements", [one, one], [one, one], addedTo: 0x1p24),
      // Denormal operands, sums before and results.
      TileCheck(small, [0x007F], [one], addedTo: 0),
      TileCheck(small, [0], [one], addedTo: 0x1p-127),
      TileCheck(small, [0x0080], [0x3F00], addedTo: 0),
      TileCheck(small, [0x0081], [one], addedTo: -0x1p-126),
      // 2⁻¹²⁶·(1 − ¾·2⁻²⁴) stays below with 24 bits, and float would round it up; half of that difference does not.
      TileCheck(small, [0x0080, 0, 0x8080, 0], [one, 0, 0x3340, 0], addedTo: 0),
      TileCheck(small, [0x0080, 0, 0x8080, 0], [one, 0, 0x32C0, 0], addedTo: 0),
      TileCheck(special, [0x7F80], [one], addedTo: 1),
      TileCheck(special, [0x7F80, 0xFF80], [one, one], addedTo: 0),
      TileCheck(special, [0x7F80], [0], addedTo: 0),
      TileCheck(special, [0x7FC0], [one], addedTo: 0),
    ]
  }()
}
