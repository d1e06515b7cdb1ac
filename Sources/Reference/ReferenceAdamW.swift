import RealModule

/// Adam with decoupled weight decay.
///
/// - SeeAlso: Kingma, Ba 2014, arXiv:1412.6980; Loshchilov, Hutter 2017, arXiv:1711.05101.
public struct ReferenceAdamW<Scalar: Real & BinaryFloatingPoint> {
  public var learningRate: Scalar
  public var beta1: Scalar
  public var beta2: Scalar
  public var epsilon: Scalar
  public var weightDecay: Scalar

  @inlinable
  public init(
    learningRate: Scalar = 1e-4, beta1: Scalar = 0.9, beta2: Scalar = 0.999, epsilon: Scalar = 1e-8,
    weightDecay: Scalar = 0
  ) {
    self.learningRate = learningRate
    self.beta1 = beta1
    self.beta2 = beta2
    self.epsilon = epsilon
    self.weightDecay = weightDecay
  }

  /// One step of one tensor.
  ///
  ///     m = β₁·m + (1 − β₁)·g          m̂ = m / (1 − β₁ˢ)
  ///     v = β₂·v + (1 − β₂)·g²         v̂ = v / (1 − β₂ˢ)
  ///     p = p − lr · (m̂ / (√v̂ + ε) + wd · p)
  ///
  /// - Parameters:
  ///   - gradients: any shape; all four arrays have the same.
  ///   - step: s, counted from 1.
  ///   - parameters: p, updated.
  ///   - firstMoment, secondMoment: m and v, zero before the first step, updated.
  @inlinable
  public func update(
    gradients: [Scalar], step: Int, parameters: inout [Scalar], firstMoment: inout [Scalar],
    secondMoment: inout [Scalar]
  ) {
    precondition(step >= 1 && gradients.count == parameters.count)
    precondition(firstMoment.count == parameters.count && secondMoment.count == parameters.count)
    let correction1 = 1 - Scalar.pow(beta1, step)
    let correction2 = 1 - Scalar.pow(beta2, step)
    for i in 0..<parameters.count {
      let gradient = gradients[i]
      firstMoment[i] = beta1 * firstMoment[i] + (1 - beta1) * gradient
      secondMoment[i] = beta2 * secondMoment[i] + (1 - beta2) * gradient * gradient
      let mean = firstMoment[i] / correction1
      let deviation = (secondMoment[i] / correction2).squareRoot()
      parameters[i] -= learningRate * (mean / (deviation + epsilon) + weightDecay * parameters[i])
    }
  }
}

extension ReferenceAdamW: Sendable where Scalar: Sendable {}
