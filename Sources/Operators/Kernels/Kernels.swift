// The files of this folder are the only ones of this room that hold unsafe memory: they check that an operand holds
// the range that a kernel will touch, and hand the kernel its address. Tasks of one parallel region write disjoint
// ranges; the operators that call these see to that.

import CKernels
import Machine

/// One instruction set's table of kernels; each operator's file of this folder adds what it calls.
@safe package struct Kernels: @unchecked Sendable {
  // A constant of the C target, alive as long as the process.
  let table: UnsafePointer<ck_kernels>
  /// Products of bfloat16 in the order of pairs: the unit's, or the instruction set's own.
  let bf16: UnsafePointer<ck_bf16>
  /// Attention over bfloat16: the unit's, or the instruction set's own.
  let bf16Attention: UnsafePointer<ck_bf16_attention>
  /// The unit that multiplies bfloat16; nil: the set's multiply-adds do the same.
  package let matrixUnit: MatrixUnit?
  /// Who multiplies in the order of tiles; nil: this process's unit, which nobody may have asked for yet.
  private let givenTileUnit: TileUnit?

  /// Nil where the processor or the operating system lacks what the set requires.
  ///
  /// - Parameters:
  ///   - withUnit: whether a matrix unit is taken where there is one.
  ///   - tileUnit: in place of this process's.
  init?(for set: InstructionSet, withUnit: Bool = true, tileUnit: TileUnit? = nil) {
    guard ProcessorFeatures.current.isSuperset(of: set.requiredFeatures) else { return nil }
    let table =
      switch set {
      case .portable: unsafe ck_kernels_portable()
      case .avx2: unsafe ck_kernels_avx2()
      case .avx512: unsafe ck_kernels_avx512()
      }
    guard let table = unsafe table else { return nil }
    unsafe self.table = unsafe table
    matrixUnit = withUnit ? .forBFloat16(beside: set) : nil
    givenTileUnit = tileUnit ?? (withUnit ? .beside(set) : .emulated("it is asked not to use units"))
    let own = unsafe table.pointee.bf16!
    unsafe bf16 = matrixUnit == .avx512BF16 ? unsafe ck_bf16_avx512_bf16() ?? own : own
    let ownAttention = unsafe table.pointee.bf16_attention!
    unsafe bf16Attention =
      matrixUnit == .avx512BF16 ? unsafe ck_bf16_attention_avx512_bf16() ?? ownAttention : ownAttention
  }

  package var tileUnit: TileUnit { givenTileUnit ?? .current }

  /// Who sums products of bfloat16 in an order.
  func paired(_ order: PairedOrder) -> UnsafePointer<ck_bf16> {
    switch order {
    case .pairs: return unsafe bf16
    case .tiles:
      let own = unsafe table.pointee.bf16_tiles!
      return tileUnit == .amx ? unsafe ck_bf16_amx() ?? own : unsafe own
    }
  }

  package var name: String { unsafe String(cString: table.pointee.name) }

  /// Rows and columns of C that the GEMM keeps in registers.
  package var tileRows: Int { unsafe Int(table.pointee.mr) }
  package var tileColumns: Int { unsafe Int(table.pointee.nr) }

  /// Floats of scratch that a worker needs for any kernel: the largest of what the GEMMs take, whatever their sizes, what
  /// attention over at most `sequenceLength` positions takes, and a square of a transposition.
  func workerScratchCount(sequenceLength: Int) -> Int {
    let attention = unsafe table.pointee.attention_scratch(sequenceLength)
    let products = unsafe max(
      table.pointee.gemm_scratch, bf16.pointee.scratch, table.pointee.bf16_tiles.pointee.scratch)
    return max(products, attention, Self.transposedCount)
  }

  static let attentionBlock = CK_ATTENTION_BLOCK
  static let attentionQueries = CK_ATTENTION_QUERIES
  static let gemmChain = CK_KC
  static let gemmColumns = CK_GEMM_COLUMNS
  static let gemmManyRows = CK_GEMM_MANY_ROWS
  package static let lanes = CK_LANES
}

extension Matrix {
  /// The address of element (rows.lowerBound, columns.lowerBound) of a part that must lie inside, and be one.
  func pointer(_ rows: Range<Int>, _ columns: Range<Int>) -> UnsafeMutablePointer<Float> {
    precondition(
      rows.lowerBound >= 0 && rows.upperBound <= self.rows && columns.lowerBound >= 0
        && columns.upperBound <= self.columns && !rows.isEmpty && !columns.isEmpty,
      "rows \(rows) and columns \(columns) of \(self.rows) × \(self.columns) in \(tensor.name)")
    return unsafe tensor.pointer + (offset + rows.lowerBound * rowStride + columns.lowerBound * columnStride)
  }

  /// The address of whole rows.
  func pointer(_ rows: Range<Int>) -> UnsafeMutablePointer<Float> { unsafe pointer(rows, 0..<columns) }
}

extension Tensor {
  /// The address of elements `range`, which must lie inside.
  func pointer(_ range: Range<Int>) -> UnsafeMutablePointer<Float> {
    precondition(
      range.lowerBound >= 0 && range.upperBound <= count, "range \(range) leaves \(name) of \(count)")
    return unsafe pointer + range.lowerBound
  }
}

extension BoundedIntegers {
  /// The address of the integers at `positions`, while `body` runs.
  func withPointer(_ positions: Range<Int>, _ body: (UnsafePointer<Int32>) -> Void) {
    precondition(
      positions.lowerBound >= 0 && positions.upperBound <= count && !positions.isEmpty,
      "positions \(positions) of \(count) integers")
    withSpan { integers in
      unsafe integers.withUnsafeBufferPointer { unsafe body($0.baseAddress! + positions.lowerBound) }
    }
  }
}
