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

  func activationForward(_ activation: Activation, _ x: Tensor, range: Range<Int>, y: Tensor) {
    unsafe activationKernels(activation).forward(x.pointer(range), range.count, y.pointer(range))
  }
}
