import CKernels
import Machine

extension Kernels {
  /// Runs `iterations` rounds of independent multiply-adds and returns the floating-point operations done.
  func peak(iterations: Int) -> Double { unsafe table.pointee.peak(iterations) }

  /// Whether the processor has dot products of int8 beside this instruction set.
  var hasInt8Products: Bool {
    name == InstructionSet.avx512.rawValue
      && ProcessorFeatures.current.isSuperset(of: MatrixUnit.avx512VNNI.requiredFeatures)
  }

  /// Runs `iterations` rounds of independent dot products of int8 and returns the operations done.
  ///
  /// - Precondition: `hasInt8Products`.
  func int8Peak(iterations: Int) -> Double {
    precondition(hasInt8Products)
    return ck_int8_peak(iterations)
  }

  /// Reads a range once and returns its sum.
  func read(_ x: Tensor, range: Range<Int>) -> Float {
    unsafe table.pointee.read(x.pointer(range), range.count)
  }
}
