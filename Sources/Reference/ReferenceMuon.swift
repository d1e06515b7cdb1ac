import RealModule

/// One step of Muon for a matrix, as plain loops.
///
///     u = μ·u + (1−μ)·g   d = μ·u + (1−μ)·g   p −= lr·(0.2·√max(R, C)·orthogonalized(d) + decay·p)
///
/// - SeeAlso: Jordan et al. 2024, kellerjordan.github.io/posts/muon; `torch.optim.Muon` with `match_rms_adamw`.
public struct ReferenceMuon<Scalar: Real & BinaryFloatingPoint> {
  public var learningRate, momentum, weightDecay: Scalar

  @inlinable
  public init(learningRate: Scalar, momentum: Scalar, weightDecay: Scalar) {
    self.learningRate = learningRate
    self.momentum = momentum
    self.weightDecay = weightDecay
  }

  /// - Parameters:
  ///   - gradients: (R, C).
  ///   - parameters, momentum: (R, C), updated.
  @inlinable
  public func update(
    gradients: [Scalar], rows: Int, columns: Int, parameters: inout [Scalar],
    momentum velocity: inout [Scalar]
  ) {
    precondition(gradients.count == rows * columns && velocity.count == rows * columns)
    var direction = gradients
    for i in gradients.indices {
      velocity[i] = momentum * velocity[i] + (1 - momentum) * gradients[i]
      direction[i] = momentum * velocity[i] + (1 - momentum) * gradients[i]
    }
    let orthogonal = Self.orthogonalized(direction, rows: rows, columns: columns)
    let scale = Scalar(0.2) * Scalar(max(rows, columns)).squareRoot()
    for i in parameters.indices {
      parameters[i] -= learningRate * (scale * orthogonal[i] + weightDecay * parameters[i])
    }
  }

  /// Five steps of the Newton–Schulz iteration X ← a·X + b·(X·Xᵀ)·X + c·(X·Xᵀ)²·X, from X / ‖X‖.
  @inlinable
  public static func orthogonalized(_ matrix: [Scalar], rows: Int, columns: Int) -> [Scalar] {
    let norm = matrix.reduce(0) { $0 + $1 * $1 }.squareRoot()
    var x = matrix.map { $0 / max(norm, Scalar(1e-7)) }
    for _ in 0..<5 {
      let gram = product(x, transposed(x, rows, columns), rows, columns, rows)
      let cubic = product(gram, x, rows, rows, columns)
      let quintic = product(gram, cubic, rows, rows, columns)
      for i in x.indices {
        x[i] = Scalar(3.4445) * x[i] - Scalar(4.7750) * cubic[i] + Scalar(2.0315) * quintic[i]
      }
    }
    return x
  }

  /// (M, K) · (K, N).
  @inlinable
  static func product(_ a: [Scalar], _ b: [Scalar], _ m: Int, _ k: Int, _ n: Int) -> [Scalar] {
    var c = [Scalar](repeating: 0, count: m * n)
    for row in 0..<m {
      for inner in 0..<k {
        for column in 0..<n { c[row * n + column] += a[row * k + inner] * b[inner * n + column] }
      }
    }
    return c
  }

  @inlinable
  static func transposed(_ x: [Scalar], _ rows: Int, _ columns: Int) -> [Scalar] {
    (0..<columns).flatMap { column in (0..<rows).map { x[$0 * columns + column] } }
  }
}
