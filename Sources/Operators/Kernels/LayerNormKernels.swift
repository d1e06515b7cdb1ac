import CKernels
import Machine

extension Kernels {
  /// - Parameter scratch: at least a row, where y is bfloat16.
  func layerNormForward(
    _ x: Matrix, weight: Tensor, bias: Tensor, epsilon: Float, rows: Range<Int>, y: Matrix, mean: Tensor,
    rstd: Tensor, scratch: Tensor
  ) {
    let channels = 0..<x.columns
    func normalise(_ rows: Range<Int>, _ y: UnsafeMutablePointer<Float>) {
      unsafe table.pointee.layer_norm_forward(
        x.pointer(rows), weight.pointer(channels), bias.pointer(channels), epsilon, rows.count, x.columns, y,
        mean.pointer(rows), rstd.pointer(rows))
    }
    if y.elementType == .float32 { return unsafe normalise(rows, y.pointer(rows)) }
    let row = Matrix(scratch, rows: 1, columns: x.columns)
    for index in rows {
      unsafe normalise(index..<index + 1, row.pointer(0..<1))
      round(row, rows: 0..<1, y: y[index..<index + 1])
    }
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
