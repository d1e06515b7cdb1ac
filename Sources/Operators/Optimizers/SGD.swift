import Machine

/// Stochastic gradient descent with momentum.
///
///     d = g + decay·p   u = μ·u + d   p −= lr·u,  with Nesterov's p −= lr·(d + μ·u)
///
/// The decay is part of the gradient, as in `torch.optim.SGD`, and so passes through the momentum.
///
/// - Complexity: ≈ 8 FLOP and 20 bytes an element, 12 bytes without momentum: bound by memory.
/// - SeeAlso: Sutskever, Martens, Dahl, Hinton 2013, proceedings.mlr.press/v28/sutskever13.
public struct SGD: Optimizer, Equatable {
  public static let name = "sgd"

  public var learningRate: Double
  /// μ; 0: nothing is kept from step to step.
  public var momentum: Double
  public var nesterov: Bool
  public var weightDecay: Double
  public var decay: WeightDecayScope

  public init(
    learningRate: Double = 1e-2, momentum: Double = 0.9, nesterov: Bool = false, weightDecay: Double = 0,
    decay: WeightDecayScope = .all
  ) {
    self.learningRate = learningRate
    self.momentum = momentum
    self.nesterov = nesterov
    self.weightDecay = weightDecay
    self.decay = decay
  }

  public var hyperparameters: [(name: String, value: Double)] {
    [("momentum", momentum), ("nesterov", nesterov ? 1 : 0)]
  }

  /// u.
  public var slots: [String] { momentum == 0 ? [] : ["momentum"] }
  public var extent: OptimizerExtent { .elements }

  public func check() throws(OptimizerError) {
    try checkRates()
    try OptimizerError.checkFactor("the momentum", momentum)
    if nesterov, momentum == 0 {
      throw OptimizerError(
        name: "the momentum", expected: "above 0 for Nesterov's step", found: "0")
    }
  }

  public func work(_ operands: OptimizerOperands, step: OptimizerStep, context: ExecutionContext) -> Work {
    precondition(operands.slots.count == slots.count, "SGD keeps \(slots.count) tensors")
    let constants = Constants(self, step: step)
    let kernels = context.kernels
    return .blocks(of: Kernels.sweepBlock, in: operands.parameters.count) { range, _ in
      kernels.sgd(
        constants, parameters: operands.parameters, gradients: operands.gradients,
        momentum: operands.slots.first, range: range)
    }
  }

  /// The constants of one step as the kernel takes them, each rounded once from Double.
  struct Constants {
    let learningRate, momentum, weightDecay, gradientScale: Float
    let nesterov: Bool

    init(_ optimizer: SGD, step: OptimizerStep) {
      learningRate = Float(optimizer.learningRate)
      momentum = Float(optimizer.momentum)
      weightDecay = step.decays ? Float(optimizer.weightDecay) : 0
      gradientScale = Float(step.gradientScale)
      nesterov = optimizer.nesterov
    }
  }
}
