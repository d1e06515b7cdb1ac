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
  public static func forward(_ a: Tensor, _ b: Tensor, count: Int, out: Tensor, context: ExecutionContext) {
    context.perform(
      .blocks(of: context.blockSize(count, least: 16384, multipleOf: 16), in: count) { range, _ in
        context.kernels.add(a, b, range: range, out: out)
      })
  }

  /// Sets some columns of a matrix to 0.
  ///
  /// - Parameter tensor: (rows, rowStride).
  public static func zeroColumns(
    _ columns: Range<Int>, of tensor: Tensor, rows: Int, rowStride: Int, context: ExecutionContext
  ) {
    guard !columns.isEmpty else { return }
    context.perform(
      .blocks(of: context.blockSize(rows, least: 256), in: rows) { range, _ in
        for row in range {
          let start = row * rowStride
          context.kernels.zero(tensor, range: start + columns.lowerBound..<start + columns.upperBound)
        }
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
