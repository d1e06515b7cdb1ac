import CKernels
import Machine

extension Kernels {
  /// Also stores the squared norm of each `unit` gradients of `range`, from `squares[range.lowerBound / unit]` on.
  func adamW(
    _ step: AdamW.Step, parameters: Tensor, gradients: Tensor, firstMoment: Tensor, secondMoment: Tensor,
    range: Range<Int>, unit: Int, squares: Tensor
  ) {
    precondition(range.lowerBound % unit == 0)
    var arguments = ck_adamw(
      learning_rate: step.learningRate, beta1: step.beta1, beta2: step.beta2, epsilon: step.epsilon,
      weight_decay: step.weightDecay, one_minus_beta1: step.oneMinusBeta1,
      one_minus_beta2: step.oneMinusBeta2,
      first_correction: step.firstCorrection, second_correction: step.secondCorrection,
      gradient_scale: step.gradientScale)
    let norms = range.lowerBound / unit..<(range.upperBound + unit - 1) / unit
    unsafe table.pointee.adamw(
      parameters.pointer(range), gradients.pointer(range), firstMoment.pointer(range),
      secondMoment.pointer(range), range.count, &arguments, unit, squares.pointer(norms))
  }

  /// Stores the squared norm of each `unit` elements of `range`, from `squares[range.lowerBound / unit]` on.
  func squaredNorms(_ x: Tensor, range: Range<Int>, unit: Int, squares: Tensor) {
    precondition(range.lowerBound % unit == 0)
    let norms = range.lowerBound / unit..<(range.upperBound + unit - 1) / unit
    unsafe table.pointee.squared_norms(x.pointer(range), range.count, unit, squares.pointer(norms))
  }
}
