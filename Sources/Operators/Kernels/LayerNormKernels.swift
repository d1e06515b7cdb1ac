import CKernels
import Machine

extension Kernels {
  func layerNormForward(
    _ x: Matrix, weight: Tensor, bias: Tensor, epsilon: Float, rows: Range<Int>, y: Matrix, mean: Tensor,
    rstd: Tensor
  ) {
    let channels = 0..<x.columns
    unsafe table.pointee.layer_norm_forward(
      x.pointer(rows), weight.pointer(channels), bias.pointer(channels), epsilon, rows.count, x.columns,
      y.pointer(rows), mean.pointer(rows), rstd.pointer(rows))
  }

  /// The sums over these rows go to row `block` of the two partial matrices.
  func layerNormBackward(
    _ dout: Matrix, _ x: Matrix, weight: Tensor, mean: Tensor, rstd: Tensor, rows: Range<Int>, block: Int,
    dx: Matrix, dweightPartial: Matrix, dbiasPartial: Matrix
  ) {
    unsafe table.pointee.layer_norm_backward(
      dout.pointer(rows), x.pointer(rows), weight.pointer(0..<x.columns), mean.pointer(rows),
      rstd.pointer(rows), rows.count, x.columns, dx.pointer(rows),
      dweightPartial.pointer(block..<block + 1), dbiasPartial.pointer(block..<block + 1))
  }
}
