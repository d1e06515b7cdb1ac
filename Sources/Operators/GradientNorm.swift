import Machine

/// The Euclidean norm of gradients, from the squared norms of their rows.
///
/// A row is summed in float32, in 16 lanes and a fixed tree; rows are added in Double in ascending order. So the norm
/// has the same bits in whatever order rows become known.
package enum GradientNorm {
  /// squares[r] = Σ_c gradients[r,c]², as independent tasks.
  ///
  /// - Parameters:
  ///   - gradients: (R, C). squares: (R), overwritten.
  ///   - channels: C.
  /// - Accuracy: |error| ≤ (C/16 + 4)·ε·squares[r].
  /// - Complexity: 2 FLOP and 4 bytes an element: bound by memory.
  package static func work(
    of gradients: Tensor, channels: Int, squares: Tensor, context: ExecutionContext
  ) -> Work {
    precondition(
      gradients.count == squares.count * channels,
      "\(squares.count) rows of \(channels) for the \(gradients.count) gradients of \(gradients.name)")
    let kernels = context.kernels
    let rows = max(1, Kernels.sweepBlock / channels)
    return .blocks(of: rows, in: squares.count) { range, _ in
      kernels.squaredNorms(gradients, channels: channels, rows: range, squares: squares)
    }
  }

  /// √Σ squares: not finite if any gradient is not, or if the squares of a row exceed single precision (gradients
  /// beyond 10¹⁸).
  package static func root(ofSum squares: Tensor) -> Double {
    squares.withSpan { squares in squares.indices.reduce(0.0) { $0 + Double(squares[$1]) } }.squareRoot()
  }
}
