import CKernels
import Machine

extension Kernels {
  func adamW(
    _ constants: AdamW.Constants, parameters: Tensor, gradients: Tensor, firstMoment: Tensor,
    secondMoment: Tensor, range: Range<Int>
  ) {
    var arguments = ck_adamw(
      learning_rate: constants.learningRate, beta1: constants.beta1, beta2: constants.beta2,
      epsilon: constants.epsilon, weight_decay: constants.weightDecay,
      one_minus_beta1: constants.oneMinusBeta1, one_minus_beta2: constants.oneMinusBeta2,
      first_correction: constants.firstCorrection, second_correction: constants.secondCorrection,
      gradient_scale: constants.gradientScale)
    unsafe table.pointee.adamw(
      parameters.pointer(range), gradients.pointer(range), firstMoment.pointer(range),
      secondMoment.pointer(range), range.count, &arguments)
  }

  func sgd(
    _ constants: SGD.Constants, parameters: Tensor, gradients: Tensor, momentum: Tensor?, range: Range<Int>
  ) {
    var arguments = ck_sgd(
      learning_rate: constants.learningRate, momentum: constants.momentum,
      weight_decay: constants.weightDecay, gradient_scale: constants.gradientScale,
      nesterov: constants.nesterov ? 1 : 0)
    unsafe table.pointee.sgd(
      parameters.pointer(range), gradients.pointer(range), momentum?.pointer(range), range.count, &arguments)
  }

  /// out = a·x + b·y, two roundings; out may be x or y.
  func combine(_ a: Float, _ x: Tensor, _ b: Float, _ y: Tensor, into out: Tensor) {
    precondition(x.count == out.count && y.count == out.count, "\(x.count) and \(y.count) into \(out.count)")
    let all = 0..<out.count
    unsafe table.pointee.combine(a, x.pointer(all), b, y.pointer(all), out.count, out.pointer(all))
  }

  /// squares[r] = Σ_c x[r,c]² for `rows` of x (R, C).
  func squaredNorms(_ x: Tensor, channels: Int, rows: Range<Int>, squares: Tensor) {
    unsafe table.pointee.squared_norms(
      x.pointer(rows.lowerBound * channels..<rows.upperBound * channels), rows.count, channels,
      squares.pointer(rows))
  }
}
