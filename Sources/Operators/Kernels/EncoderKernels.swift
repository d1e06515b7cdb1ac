import CKernels
import Machine

extension Kernels {
  /// - Precondition: all matrices are dense and have the columns of `out`.
  func encoderForward(
    _ tokens: BoundedIntegers, wte: Matrix, wpe: Matrix, rows: Range<Int>, sequenceLength: Int, out: Matrix
  ) {
    let (tokenRows, positions) = unsafe (wte.pointer(0..<tokens.bound), wpe.pointer(0..<sequenceLength))
    let output = unsafe out.pointer(0..<rows.upperBound)
    unsafe tokens.withPointer(0..<rows.upperBound) { tokens in
      unsafe table.pointee.encoder_forward(
        tokens, tokenRows, positions, rows.lowerBound, rows.count, sequenceLength, out.columns, output)
    }
  }

  /// - Precondition: all matrices are dense and have the columns of `dout`.
  func encoderBackward(
    _ tokens: BoundedIntegers, _ dout: Matrix, sequenceLength: Int, columns: Range<Int>, dwte: Matrix,
    dwpe: Matrix
  ) {
    precondition(columns.lowerBound >= 0 && columns.upperBound <= dout.columns)
    let (tokenRows, positions) = unsafe (dwte.pointer(0..<tokens.bound), dwpe.pointer(0..<sequenceLength))
    let gradient = unsafe dout.pointer(0..<tokens.count)
    unsafe tokens.withPointer(0..<tokens.count) { ids in
      unsafe table.pointee.encoder_backward(
        ids, gradient, tokens.count / sequenceLength, sequenceLength, dout.columns, columns.lowerBound,
        columns.count, tokenRows, positions)
    }
  }
}
