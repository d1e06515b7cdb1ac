import Machine

/// The AdamW optimizer with decoupled weight decay.
///
///     m = β₁m + (1−β₁)g   v = β₂v + (1−β₂)g²   p −= lr·(m̂/(√v̂ + ε) + decay·p),  m̂ = m/(1−β₁ᵗ),  v̂ = v/(1−β₂ᵗ)
///
/// - Complexity: ≈ 20 FLOP and 28 bytes an element: bound by memory.
/// - SeeAlso: Loshchilov, Hutter 2019, arXiv:1711.05101.
public struct AdamW: Optimizer, Equatable {
  public static let name = "adamw"

  public var learningRate: Double
  public var beta1: Double
  public var beta2: Double
  public var epsilon: Double
  public var weightDecay: Double
  public var decay: WeightDecayScope

  public init(
    learningRate: Double = 1e-4, beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double = 1e-8,
    weightDecay: Double = 0, decay: WeightDecayScope = .all
  ) {
    self.learningRate = learningRate
    self.beta1 = beta1
    self.beta2 = beta2
    self.epsilon = epsilon
    self.weightDecay = weightDecay
    self.decay = decay
  }

  public var hyperparameters: [(name: String, value: Double)] {
    [("beta1", beta1), ("beta2", beta2), ("epsilon", epsilon)]
  }

  /// m and v.
  public var slots: [String] { ["first_moment", "second_moment"] }
  public var extent: OptimizerExtent { .elements }

  public func check() throws(OptimizerError) {
    try checkRates()
    try OptimizerError.checkFactor("beta1", beta1)
    try OptimizerError.checkFactor("beta2", beta2)
    guard epsilon.isFinite, Float(epsilon) > 0 else {
      throw OptimizerError(
        name: "epsilon", expected: "a number that is above 0 in float32", found: "\(epsilon)")
    }
  }

  public func work(_ operands: OptimizerOperands, step: OptimizerStep, context: ExecutionContext) -> Work {
    precondition(operands.slots.count == 2, "AdamW keeps two moments")
    let constants = Constants(self, step: step)
    let kernels = context.kernels
    return .blocks(of: Kernels.sweepBlock, in: operands.parameters.count) { range, _ in
      kernels.adamW(
        constants, parameters: operands.parameters, gradients: operands.gradients,
        firstMoment: operands.slots[0], secondMoment: operands.slots[1], range: range)
    }
  }

  /// The constants of one step as the kernel takes them, each rounded once from Double.
  struct Constants {
    let learningRate, beta1, beta2, epsilon, weightDecay: Float
    let oneMinusBeta1, oneMinusBeta2, firstCorrection, secondCorrection, gradientScale: Float

    init(_ optimizer: AdamW, step: OptimizerStep) {
      learningRate = Float(optimizer.learningRate)
      beta1 = Float(optimizer.beta1)
      beta2 = Float(optimizer.beta2)
      epsilon = Float(optimizer.epsilon)
      weightDecay = step.decays ? Float(optimizer.weightDecay) : 0
      oneMinusBeta1 = Float(1 - optimizer.beta1)
      oneMinusBeta2 = Float(1 - optimizer.beta2)
      firstCorrection = Float(1 / (1 - AdamW.power(optimizer.beta1, step.number)))
      secondCorrection = Float(1 / (1 - AdamW.power(optimizer.beta2, step.number)))
      gradientScale = Float(step.gradientScale)
    }
  }

  /// xⁿ by squaring: multiplications only, so the same bits everywhere.
  private static func power(_ base: Double, _ exponent: Int) -> Double {
    var (result, square, rest) = (1.0, base, exponent)
    while rest > 0 {
      if rest & 1 == 1 { result *= square }
      square *= square
      rest >>= 1
    }
    return result
  }
}
