import CKernels
import Machine

extension Kernels {
  /// Numbers on a side of the squares in which matrices are transposed: 16 KiB, which L1 holds beside what is written.
  static let transposedSide = 64
  static let transposedCount = transposedSide * transposedSide

  /// y[columns, rows] = the numbers of x there, exactly, transposed.
  ///
  /// - Parameters:
  ///   - x: (y.columns, y.rows), rows `rowStride` numbers apart from `offset` on.
  ///   - rows, columns: of x, at most `transposedSide` of each.
  ///   - scratch: (`transposedCount`), overwritten.
  ///   - y: (columns of x, rows of x), each row contiguous.
  func transpose(
    _ x: PackedNumbers, offset: Int, rowStride: Int, rows: Range<Int>, columns: Range<Int>, scratch: Tensor,
    y: Matrix
  ) {
    precondition(y.columnStride == 1, "the rows of \(y.tensor.name) are not contiguous")
    let square = unsafe scratch.pointer(0..<rows.count * columns.count)
    for (line, row) in rows.enumerated() {
      let first = offset + row * rowStride + columns.lowerBound
      unsafe expand(x, range: first..<first + columns.count, to: square + line * columns.count)
    }
    unsafe table.pointee.transpose(
      square, columns.count, rows.count, columns.count, y.pointer(columns, rows), y.rowStride)
  }
}
