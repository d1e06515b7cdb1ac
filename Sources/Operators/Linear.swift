import Machine

/// The affine map of a linear layer.
public enum Linear {
  /// Multiplies each row of `x` by the transposed weight and adds the bias.
  ///
  ///     y[r,n] = Σ_k x[r,k]·weight[n,k] + bias[n]
  ///
  /// - Parameters:
  ///   - x: (R, K).
  ///   - weight: (N, K).
  ///   - bias: (N), or nil.
  ///   - y: (R, N), overwritten; what lies between its rows stays.
  ///   - epilogue: what follows, element by element, or nil; the accuracy is that before it.
  ///   - queue: work that waits to run beside this one's.
  /// - Precondition: K > 0; the operands fit each other.
  /// - Accuracy: |error| ≤ (K/384 + 387)·ε·(Σ|x·weight| + |bias|); `LinearTests` enforces it.
  /// - Complexity: 2·R·N·K FLOP; the weight is read once for each block of rows of R that tasks are made of.
  public static func forward(
    _ x: Matrix, weight: Matrix, bias: Tensor?, y: Matrix, epilogue: Epilogue? = nil,
    context: ExecutionContext, beside queue: WorkQueue? = nil
  ) {
    context.perform(
      GEMM.work(x, weight.transposed, bias: bias, into: y, epilogue: epilogue, context: context),
      beside: queue, operand: weight.tensor.name)
  }

  /// The gradients of `forward`, in one parallel region.
  ///
  ///     dx[r,k] = Σ_n dout[r,n]·weight[n,k]    dweight[n,k] (+)= Σ_r dout[r,n]·x[r,k]    dbias[n] (+)= Σ_r dout[r,n]
  ///
  /// - Parameters:
  ///   - dout: (R, N). x: (R, K). weight: (N, K).
  ///   - accumulate: whether dweight and dbias are added to or overwritten.
  ///   - dx: (R, K), overwritten.
  ///   - epilogue: what follows for dx, or nil.
  ///   - dweight: (N, K). dbias: (N), or nil.
  ///   - queue: work that waits to run beside this one's.
  /// - Precondition: R, N > 0; the operands fit each other.
  /// - Accuracy: as `forward`, with sums over N, R and R terms.
  /// - Complexity: 4·R·N·K FLOP.
  public static func backward(
    _ dout: Matrix, x: Matrix, weight: Matrix, accumulate: Bool, dx: Matrix, epilogue: Epilogue? = nil,
    dweight: Matrix, dbias: Tensor?, context: ExecutionContext,
    beside queue: WorkQueue? = nil
  ) {
    let outputs = dout.columns
    precondition(dbias.map { $0.count == outputs } ?? true, "a bias gradient has \(outputs) elements")
    let inputGradient = GEMM.work(dout, weight, into: dx, epilogue: epilogue, context: context)
    let weightGradient = GEMM.work(
      dout.transposed, x, accumulate: accumulate, into: dweight, context: context)
    let kernels = context.kernels
    let biasGradient = Work.blocks(
      of: context.blockSize(outputs, least: 64, multipleOf: 64), in: dbias == nil ? 0 : outputs
    ) { columns, _ in
      guard let dbias else { return }
      kernels.columnSum(dout, columns: columns, accumulate: accumulate, out: dbias)
    }
    context.perform(
      inputGradient, weightGradient, biasGradient, beside: queue, operand: dweight.tensor.name)
  }
}
