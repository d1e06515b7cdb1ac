import CKernels
import Machine

extension Kernels {
  /// y = exp(x), for the tests of the kernels' own exponential.
  package func exponential(_ x: Tensor, y: Tensor) {
    precondition(x.count == y.count)
    unsafe table.pointee.exponential(x.pointer, x.count, y.pointer)
  }

  /// y = 2ˣ, 0 below the normal floats, for the tests of attention's own exponential.
  package func powerOfTwo(_ x: Tensor, y: Tensor) {
    precondition(x.count == y.count)
    unsafe table.pointee.power_of_two(x.pointer, x.count, y.pointer)
  }
}
