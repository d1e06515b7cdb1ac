import RealModule

/// One step of stochastic gradient descent with momentum, as plain loops.
///
///     d = g + decay·p   u = μ·u + d   p −= lr·u,  with Nesterov's p −= lr·(d + μ·u)
///
/// - SeeAlso: Sutskever, Martens, Dahl, Hinton 2013; `torch.optim.SGD`.
public struct ReferenceSGD<Scalar: Real> {
  public var learningRate, momentum, weightDecay: Scalar
  public var nesterov: Bool

  @inlinable
  public init(learningRate: Scalar, momentum: Scalar, nesterov: Bool, weightDecay: Scalar) {
    self.learningRate = learningRate
    self.momentum = momentum
    self.nesterov = nesterov
    self.weightDecay = weightDecay
  }

  /// - Parameters:
  ///   - gradients: (count).
  ///   - parameters, momentum: (count), updated; without momentum the latter is d.
  @inlinable
  public func update(gradients: [Scalar], parameters: inout [Scalar], momentum velocity: inout [Scalar]) {
    precondition(gradients.count == parameters.count && velocity.count == parameters.count)
    for i in parameters.indices {
      let d = gradients[i] + weightDecay * parameters[i]
      velocity[i] = momentum * velocity[i] + d
      parameters[i] -= learningRate * (nesterov ? d + momentum * velocity[i] : velocity[i])
    }
  }
}
