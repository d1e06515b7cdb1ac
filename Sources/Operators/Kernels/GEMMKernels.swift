import CKernels
import Machine

extension Kernels {
  /// C[rows, columns] (+)= A·B + bias, then the epilogue; A is (M, K), B is (K, N).
  ///
  /// `GEMM.work` has checked that the matrices fit each other and are contiguous one way.
  func gemm(
    _ a: Matrix, _ b: Matrix, bias: Tensor?, rows: Range<Int>, columns: Range<Int>, accumulate: Bool,
    into c: Matrix, epilogue: Epilogue?, scratch: Tensor
  ) {
    precondition(unsafe scratch.count >= table.pointee.gemm_scratch)
    var arguments = unsafe ck_gemm()
    unsafe arguments.a = UnsafePointer(a.pointer(rows))
    unsafe arguments.a_row = a.rowStride
    unsafe arguments.a_k = a.columnStride
    unsafe arguments.b = UnsafePointer(b.pointer(0..<a.columns, columns))
    unsafe arguments.b_k = b.rowStride
    unsafe arguments.b_col = b.columnStride
    unsafe arguments.c = c.pointer(rows, columns)
    unsafe arguments.ldc = c.rowStride
    unsafe arguments.m = rows.count
    unsafe arguments.n = columns.count
    unsafe arguments.k = a.columns
    if let bias { unsafe arguments.bias = UnsafePointer(bias.pointer(columns)) }
    unsafe arguments.accumulate = accumulate ? 1 : 0
    switch epilogue {
    case nil: break
    case .add(let matrix):
      unsafe arguments.epilogue = CK_ADD
      unsafe arguments.operand = UnsafePointer(matrix.pointer(rows, columns))
    case .activation(let activation, let output):
      unsafe arguments.epilogue = activationKernels(activation).epilogue
      unsafe arguments.result = output.pointer(rows, columns)
    case .slope(let activation, let input):
      unsafe arguments.epilogue = activationKernels(activation).slope
      unsafe arguments.operand = UnsafePointer(input.pointer(rows, columns))
    }
    unsafe table.pointee.gemm(&arguments, scratch.pointer)
  }

  /// out[columns] (+)= the sum of x's rows there.
  func columnSum(_ x: Matrix, columns: Range<Int>, accumulate: Bool, out: Tensor) {
    unsafe table.pointee.column_sum(
      x.pointer(0..<x.rows, columns), x.rows, columns.count, x.rowStride, accumulate ? 1 : 0,
      out.pointer(columns))
  }
}
