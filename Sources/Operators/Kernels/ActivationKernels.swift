import CKernels
import Machine

/// All that the kernels have for one activation.
@unsafe struct ActivationKernels {
  let forward: @convention(c) (UnsafePointer<Float>?, Int, UnsafeMutablePointer<Float>?) -> Void
  /// What the GEMM does to complete rows.
  let epilogue, slope: ck_epilogue
}

extension Kernels {
  /// The one place that tells activations apart: a case without all three does not compile.
  func activationKernels(_ activation: Activation) -> ActivationKernels {
    switch activation {
    case .gelu:
      unsafe ActivationKernels(
        forward: table.pointee.gelu_forward, epilogue: CK_GELU, slope: CK_GELU_SLOPE)
    case .geluErf:
      unsafe ActivationKernels(
        forward: table.pointee.gelu_erf_forward, epilogue: CK_GELU_ERF, slope: CK_GELU_ERF_SLOPE)
    case .geluQuintic:
      unsafe ActivationKernels(
        forward: table.pointee.gelu_quintic_forward, epilogue: CK_GELU_QUINTIC, slope: CK_GELU_QUINTIC_SLOPE)
    }
  }

  /// - Parameter scratch: for the numbers of a piece, where y is bfloat16.
  func activationForward(
    _ activation: Activation, _ x: Tensor, range: Range<Int>, y: Tensor, scratch: Tensor
  ) {
    let forward = unsafe activationKernels(activation).forward
    if y.elementType == .float32 {
      return unsafe forward(x.pointer(range), range.count, y.pointer(range))
    }
    for start in stride(from: range.lowerBound, to: range.upperBound, by: Self.roundedPiece) {
      let count = min(range.upperBound - start, Self.roundedPiece)
      let numbers = Matrix(scratch, rows: 1, columns: count)
      let values = unsafe numbers.pointer(0..<1)
      unsafe expand(PackedNumbers(x), range: start..<start + count, to: values)
      unsafe forward(values, count, values)
      round(numbers, rows: 0..<1, y: Matrix(y, rows: 1, columns: count, offset: start))
    }
  }

  /// Floats that stay in L1 until they are rounded.
  private static let roundedPiece = 1024
}
