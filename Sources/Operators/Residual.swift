import Machine

/// Element-wise operations on the residual stream and on whole gradients.
public enum Residual {
  /// out = a + b.
  ///
  /// - Parameters:
  ///   - a, b: (count).
  ///   - out: (count), overwritten; may be a or b.
  /// - Accuracy: rounded once.
  /// - Complexity: count FLOP, 12 bytes an element. The gradient of both addends is dout itself: there is no backward.
  public static func forward(_ a: Tensor, _ b: Tensor, out: Tensor, context: ExecutionContext) {
    let count = a.count
    precondition(
      b.count == count && out.count == count, "\(count) and \(b.count) elements into \(out.count)")
    context.perform(
      .blocks(of: context.blockSize(count, least: 16384, multipleOf: 16), in: count) { range, _ in
        context.kernels.add(a, b, range: range, out: out)
      })
  }

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
