import Machine     // Work: independent tasks
import Operators   // Optimizer

/// An optimizer of one's own: Lion, which goes by the sign of a mean of gradients and keeps one slot.
///
///     p −= lr · (sign(β₁·m + (1 − β₁)·g) + wd·p)
///     m = β₂·m + (1 − β₂)·g
///
/// Runs save `momentum` and go on with it; the log writes the hyperparameters. Chen et al. 2023, arXiv:2302.06675.
struct Lion: Optimizer {
  static let name = "lion"
  var learningRate = 3e-4
  var weightDecay = 0.0
  var decay = WeightDecayScope.matrices
  var beta1 = 0.9, beta2 = 0.99

  var slots: [String] { ["momentum"] }
  var hyperparameters: [(name: String, value: Double)] { [("beta1", beta1), ("beta2", beta2)] }
  /// Element by element: the library may take any ranges, on any threads.
  var extent: OptimizerExtent { .elements }

  func check() throws(OptimizerError) {
    for (name, value) in [("beta1", beta1), ("beta2", beta2)] where !(0..<1).contains(value) {
      throw OptimizerError(name: name, expected: "in 0..<1", found: "\(value)")
    }
  }

  func work(_ operands: OptimizerOperands, step: OptimizerStep, context: ExecutionContext) -> Work {
    let (parameters, gradients, momentum) = (operands.parameters, operands.gradients, operands.slots[0])
    let (rate, scale) = (Float(learningRate), Float(step.gradientScale))
    let shrink = step.decays ? Float(weightDecay) : 0
    let (beta1, beta2) = (Float(beta1), Float(beta2))
    return .blocks(of: 65536, in: parameters.count) { range, _ in
      for index in range {
        let gradient = scale * gradients[index]
        let mean = beta1 * momentum[index] + (1 - beta1) * gradient
        let sign: Float = mean > 0 ? 1 : mean < 0 ? -1 : 0
        parameters[index] -= rate * (sign + shrink * parameters[index])
        momentum[index] = beta2 * momentum[index] + (1 - beta2) * gradient
      }
    }
  }
}
