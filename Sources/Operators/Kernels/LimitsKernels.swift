import CKernels
import Machine

extension Kernels {
  /// Runs `iterations` rounds of independent multiply-adds and returns the floating-point operations done.
  func peak(iterations: Int) -> Double { unsafe table.pointee.peak(iterations) }

  /// Reads a range once and returns its sum.
  func read(_ x: Tensor, range: Range<Int>) -> Float {
    unsafe table.pointee.read(x.pointer(range), range.count)
  }
}
