import Machine

/// Layer normalisation over channels.
public enum LayerNorm {
  /// Rows whose contributions to dweight and dbias are summed together: fixed, because it decides the sum's order.
  static let rowsPerBlock = 32

  /// Normalises each row of `x`, then scales and shifts it.
  ///
  ///     y[r,c] = (x[r,c] − μ[r]) · ρ[r] · weight[c] + bias[c],  ρ = 1/√(σ² + ε)
  ///
  /// - Parameters:
  ///   - x: (R, C).
  ///   - weight, bias: (C).
  ///   - epsilon: ε > 0, GPT-2's is 1e-5.
  ///   - y: (R, C), overwritten: float32, or bfloat16, an operand of products, rounded as `OperandLayout` does.
  ///   - mean, rstd: (R), kept for the backward pass.
  /// - Precondition: C > 0; matrices are dense; y does not overlap x. Allocates no tensor memory; never throws.
  /// - Accuracy: `LayerNormTests` derives and enforces the bound.
  /// - Complexity: ≈ 8·R·C FLOP; 8·R·C bytes moved, into bfloat16 6·R·C.
  /// - SeeAlso: Ba, Kiros, Hinton 2016, arXiv:1607.06450.
  public static func forward(
    _ x: Matrix, weight: Tensor, bias: Tensor, epsilon: Float, y: Matrix, mean: Tensor, rstd: Tensor,
    context: ExecutionContext
  ) {
    check(x, y, perColumn: (weight, bias), perRow: (mean, rstd))
    context.perform(
      .blocks(of: context.blockSize(x.rows, least: 8), in: x.rows) { range, worker in
        context.kernels.layerNormForward(
          x, weight: weight, bias: bias, epsilon: epsilon, rows: range, y: y, mean: mean, rstd: rstd,
          scratch: context.scratch(worker))
      })
  }

  private static func check(
    _ x: Matrix, _ other: Matrix, perColumn: (Tensor, Tensor), perRow: (Tensor, Tensor)
  ) {
    precondition(
      x.columns > 0 && x.isDense && other.isDense && other.hasLayout(of: x),
      "dense matrices of (\(x.rows), \(x.columns))")
    precondition(
      perColumn.0.count == x.columns && perColumn.1.count == x.columns, "\(x.columns) numbers for the columns"
    )
    precondition(perRow.0.count == x.rows && perRow.1.count == x.rows, "\(x.rows) numbers for the rows")
  }

  /// Floats of shared scratch that `backward` needs.
  public static func sharedScratchCount(rows: Int, channels: Int) -> Int {
    2 * ((rows + rowsPerBlock - 1) / rowsPerBlock) * channels
  }

  /// The gradients of `forward`.
  ///
  ///     dx += ρ·(d − mean(d) − n·mean(d·n)),  n = (x − μ)·ρ,  d = dout·weight
  ///     dweight (+)= Σ_r dout·n    dbias (+)= Σ_r dout
  ///
  /// - Parameters:
  ///   - dout, x: (R, C). mean, rstd: (R), from `forward`.
  ///   - accumulate: whether dweight and dbias are added to or overwritten.
  ///   - dx: (R, C), added to: the residual stream's gradient goes around the block as well as through it.
  ///   - rounded: (R, C), bfloat16, or nil: dx as an operand of products, rounded as `OperandLayout` does.
  ///   - dweight, dbias: (C).
  /// - Precondition: matrices are dense; the context has reserved `sharedScratchCount`.
  /// - Complexity: ≈ 16·R·C FLOP; 16·R·C bytes moved, and 2·R·C of what is rounded; two parallel regions.
  public static func backward(
    _ dout: Matrix, x: Matrix, weight: Tensor, mean: Tensor, rstd: Tensor, accumulate: Bool, dx: Matrix,
    rounded: Matrix? = nil, dweight: Tensor, dbias: Tensor, context: ExecutionContext
  ) {
    check(dout, x, perColumn: (weight, dweight), perRow: (mean, rstd))
    check(dout, rounded ?? dx, perColumn: (weight, dbias), perRow: (mean, rstd))
    check(dout, dx, perColumn: (weight, dbias), perRow: (mean, rstd))
    let kernels = context.kernels
    let (rows, channels) = (x.rows, x.columns)
    let half = sharedScratchCount(rows: rows, channels: channels) / 2
    let partials = (
      context.shared(0..<half).matrix(columns: channels),
      context.shared(half..<2 * half).matrix(columns: channels)
    )
    context.perform(
      .blocks(of: rowsPerBlock, in: rows) { range, _ in
        kernels.layerNormBackward(
          dout, x, weight: weight, mean: mean, rstd: rstd, rows: range,
          block: range.lowerBound / rowsPerBlock, dx: dx, dweightPartial: partials.0, dbiasPartial: partials.1
        )
        if let rounded { kernels.round(dx, rows: range, y: rounded) }
      })
    func sum(_ partial: Matrix, into gradient: Tensor) -> Work {
      .blocks(of: context.blockSize(channels, least: 64, multipleOf: 64), in: channels) { columns, _ in
        kernels.columnSum(partial, columns: columns, accumulate: accumulate, out: gradient)
      }
    }
    context.perform(sum(partials.0, into: dweight), sum(partials.1, into: dbias))
  }
}
