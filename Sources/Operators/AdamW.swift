import Machine

/// The AdamW optimizer with decoupled weight decay.
///
///     m = β₁m + (1−β₁)g   v = β₂v + (1−β₂)g²   p −= lr·(m̂/(√v̂ + ε) + decay·p),  m̂ = m/(1−β₁ᵗ),  v̂ = v/(1−β₂ᵗ)
///
/// - SeeAlso: Loshchilov, Hutter 2019, arXiv:1711.05101.
public struct AdamW: Sendable, Equatable {
  public var learningRate: Double
  public var beta1: Double
  public var beta2: Double
  public var epsilon: Double
  public var weightDecay: Double

  public init(
    learningRate: Double = 1e-4, beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double = 1e-8,
    weightDecay: Double = 0
  ) {
    self.learningRate = learningRate
    self.beta1 = beta1
    self.beta2 = beta2
    self.epsilon = epsilon
    self.weightDecay = weightDecay
  }

  /// The constants of one step as the kernel takes them, each rounded once from Double.
  struct Step {
    let learningRate, beta1, beta2, epsilon, weightDecay: Float
    let oneMinusBeta1, oneMinusBeta2, firstCorrection, secondCorrection, gradientScale: Float

    init(_ optimizer: AdamW, step: Int, gradientScale: Double) {
      learningRate = Float(optimizer.learningRate)
      beta1 = Float(optimizer.beta1)
      beta2 = Float(optimizer.beta2)
      epsilon = Float(optimizer.epsilon)
      weightDecay = Float(optimizer.weightDecay)
      oneMinusBeta1 = Float(1 - optimizer.beta1)
      oneMinusBeta2 = Float(1 - optimizer.beta2)
      firstCorrection = Float(1 / (1 - AdamW.power(optimizer.beta1, step)))
      secondCorrection = Float(1 / (1 - AdamW.power(optimizer.beta2, step)))
      self.gradientScale = Float(gradientScale)
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

  /// Elements of one task.
  private static let blockSize = 16 * Kernels.normBlock

  /// Floats of shared scratch that `update` and `norm` need for `count` elements.
  public static func sharedScratchCount(_ count: Int) -> Int {
    (count + Kernels.normBlock - 1) / Kernels.normBlock
  }

  /// Takes one step.
  ///
  /// - Parameters:
  ///   - gradients: (count). step: t, from 1. gradientScale: multiplies the gradients first (clipping).
  ///   - parameters, firstMoment, secondMoment: (count), updated.
  /// - Returns: the Euclidean norm of the gradients before scaling; not finite if any gradient is not, or if the squares of
  ///   neighbouring ones exceed single precision (gradients beyond 10¹⁸).
  /// - Precondition: the context has reserved `sharedScratchCount`.
  /// - Complexity: ≈ 20 FLOP and 28 bytes an element: bound by memory.
  public func update(
    gradients: Tensor, step: Int, gradientScale: Double = 1, parameters: Tensor, firstMoment: Tensor,
    secondMoment: Tensor, context: ExecutionContext
  ) -> Double {
    let squares = context.shared(0..<Self.sharedScratchCount(gradients.count))
    context.perform(
      work(
        parameters: parameters, gradients: gradients, firstMoment: firstMoment, secondMoment: secondMoment,
        range: 0..<gradients.count, unit: Kernels.normBlock, squares: squares, step: step,
        gradientScale: gradientScale, context: context))
    return Self.root(squares)
  }

  /// One step over elements `range` as independent tasks.
  ///
  /// - Parameters:
  ///   - range: starts at a multiple of `unit`.
  ///   - squares: element i receives the sum of the squared gradients i·unit..<(i+1)·unit.
  package func work(
    parameters: Tensor, gradients: Tensor, firstMoment: Tensor, secondMoment: Tensor, range: Range<Int>,
    unit: Int, squares: Tensor, step: Int, gradientScale: Double = 1, context: ExecutionContext
  ) -> Work {
    let constants = Step(self, step: step, gradientScale: gradientScale)
    let size = max(unit, Self.blockSize / unit * unit)
    let kernels = context.kernels
    return Work.blocks(of: size, in: range.count) { block, _ in
      kernels.adamW(
        constants, parameters: parameters, gradients: gradients, firstMoment: firstMoment,
        secondMoment: secondMoment,
        range: range.lowerBound + block.lowerBound..<range.lowerBound + block.upperBound, unit: unit,
        squares: squares)
    }
  }

  /// The root of the sum of all elements, added in ascending order in Double.
  package static func root(_ squares: Tensor) -> Double {
    squares.withSpan { squares in squares.indices.reduce(0.0) { $0 + Double(squares[$1]) } }.squareRoot()
  }

  /// The Euclidean norm of the gradients, for clipping before a step: the one that `update` returns.
  ///
  /// - Complexity: 2 FLOP and 4 bytes an element.
  public static func norm(of gradients: Tensor, context: ExecutionContext) -> Double {
    let squares = context.shared(0..<sharedScratchCount(gradients.count))
    context.perform(
      normWork(of: gradients, unit: Kernels.normBlock, squares: squares, context: context))
    return root(squares)
  }

  /// The squared norm of each `unit` gradients as independent tasks.
  package static func normWork(
    of gradients: Tensor, unit: Int, squares: Tensor, context: ExecutionContext
  ) -> Work {
    let kernels = context.kernels
    return Work.blocks(of: max(unit, blockSize / unit * unit), in: gradients.count) { range, _ in
      kernels.squaredNorms(gradients, range: range, unit: unit, squares: squares)
    }
  }
}
