import Machine

/// What sets the residual stream's gradient, columns of logits and whole gradients to 0.
///
/// Branches are added to the stream by the product that ends them (`Epilogue.add`).
public enum Residual {
  /// Sets some columns of a matrix to 0.
  public static func zeroColumns(_ columns: Range<Int>, of matrix: Matrix, context: ExecutionContext) {
    precondition(
      columns.lowerBound >= 0 && columns.upperBound <= matrix.columns && matrix.columnStride == 1,
      "columns \(columns) of \(matrix.columns)")
    guard !columns.isEmpty else { return }
    context.perform(
      .blocks(of: context.blockSize(matrix.rows, least: 256), in: matrix.rows) { range, _ in
        for row in range { context.kernels.zero(matrix, row: row, columns: columns) }
      })
  }

  /// Sets all of a tensor to 0, on all threads.
  public static func zero(_ tensor: Tensor, context: ExecutionContext) {
    context.perform(
      .blocks(of: context.blockSize(tensor.count, least: 65536, multipleOf: 16), in: tensor.count) {
        range, _ in
        context.kernels.zero(tensor, range: range)
      })
  }
}
