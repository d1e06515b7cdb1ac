import Machine

/// y = xᵀ, on all threads, from any precision into float32.
///
/// Squares of numbers are expanded into the scratch of their thread, which its first-level cache holds, and moved from
/// there: no copy of the matrix is made, in either precision.
///
/// - Complexity: bound by memory: reads x and writes y once.
public enum Transposition {
  /// y = the matrix in `bytes`, transposed.
  ///
  /// - Parameters:
  ///   - bytes: (y.columns, y.rows), row-major numbers of `precision`, little-endian, at any alignment.
  ///   - y: (y.rows, y.columns), float32, each row contiguous, overwritten; does not overlap `bytes`.
  public static func expand(
    _ bytes: RawSpan, from precision: Precision, y: Matrix, context: ExecutionContext
  ) {
    precondition(
      bytes.byteCount == y.rows * y.columns * precision.byteCount,
      "\(bytes.byteCount) bytes for \(y.rows) × \(y.columns) of \(y.tensor.name)")
    PackedNumbers.reading(bytes, as: precision) {
      forward($0, offset: 0, rowStride: y.rows, y: y, context: context)
    }
  }

  /// y = xᵀ.
  ///
  /// - Parameters:
  ///   - x: (R, C), float32 or bfloat16, each row contiguous.
  ///   - y: (C, R), float32, each row contiguous, overwritten; does not overlap x.
  public static func forward(_ x: Matrix, y: Matrix, context: ExecutionContext) {
    precondition(
      x.rows == y.columns && x.columns == y.rows && x.columnStride == 1,
      "\(x.rows) × \(x.columns) of \(x.tensor.name), \(y.rows) × \(y.columns) of \(y.tensor.name)")
    forward(PackedNumbers(x.tensor), offset: x.offset, rowStride: x.rowStride, y: y, context: context)
  }

  private static func forward(
    _ x: PackedNumbers, offset: Int, rowStride: Int, y: Matrix, context: ExecutionContext
  ) {
    let side = Kernels.transposedSide
    // One after another along y's rows, which a task so writes in few pieces.
    let across = (y.columns + side - 1) / side
    let squares = (y.rows + side - 1) / side * across
    context.perform(
      .blocks(of: context.blockSize(squares, least: 4), in: squares) { range, worker in
        let scratch = context.scratch(worker)
        for square in range {
          let (column, row) = (square / across * side, square % across * side)
          context.kernels.transpose(
            x, offset: offset, rowStride: rowStride, rows: row..<min(y.columns, row + side),
            columns: column..<min(y.rows, column + side), scratch: scratch, y: y)
        }
      })
  }
}
