import CKernels
import Machine

extension Kernels {
  func crossEntropyForward(
    _ logits: Matrix, targets: BoundedIntegers, rows: Range<Int>, losses: Tensor, logSumExp: Tensor
  ) {
    precondition(targets.bound <= logits.columns)
    let (input, loss, sums) = unsafe (logits.pointer(rows), losses.pointer(rows), logSumExp.pointer(rows))
    unsafe targets.withPointer(rows) { targets in
      unsafe table.pointee.cross_entropy_forward(
        input, targets, rows.count, logits.columns, logits.rowStride, loss, sums)
    }
  }

  /// - Precondition: both matrices have the same layout, or dlogits is bfloat16.
  func crossEntropyBackward(
    _ logits: Matrix, targets: BoundedIntegers, logSumExp: Tensor, scale: Float, rows: Range<Int>,
    dlogits: Matrix
  ) {
    precondition(targets.bound <= logits.columns)
    let (input, sums) = unsafe (logits.pointer(rows), logSumExp.pointer(rows))
    if dlogits.elementType == .bfloat16 {
      let output = unsafe dlogits.pairedPointer(rows, 0..<dlogits.columns)
      return unsafe targets.withPointer(rows) { targets in
        unsafe table.pointee.bf16_cross_entropy_backward(
          input, targets, sums, scale, rows.count, logits.columns, logits.rowStride, output, dlogits.rowStride
        )
      }
    }
    let output = unsafe dlogits.paddedPointer(rows)
    unsafe targets.withPointer(rows) { targets in
      unsafe table.pointee.cross_entropy_backward(
        input, targets, sums, scale, rows.count, logits.columns, dlogits.rowStride, output)
    }
  }
}

extension Matrix {
  /// The address of whole rows with the padding that follows each, also the last.
  fileprivate func paddedPointer(_ rows: Range<Int>) -> UnsafeMutablePointer<Float> {
    precondition(
      rowStride >= columns && offset + rows.upperBound * rowStride <= tensor.count,
      "the last row's padding leaves \(tensor.name)")
    return unsafe pointer(rows)
  }
}
