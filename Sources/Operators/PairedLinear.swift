import Machine

/// The linear layer with operands in bfloat16: sums, bias and results are float32.
extension Linear {
  /// As `forward` in float32; x, weight and, where asked for, what comes next are bfloat16.
  ///
  ///     y[r,n] = Σ_k x[r,k]·weight[n,k] + bias[n]
  ///
  /// - Parameters:
  ///   - x: (R, K), bfloat16.
  ///   - weight: weightᵀ (K, N), laid out, or as numbers that the product's tasks round; it has the order of the sums.
  ///   - bias: (N), or nil.
  ///   - y: (R, N), overwritten.
  ///   - epilogue: what follows; an activation's output is bfloat16, a slope's input float16.
  ///   - rounded: (R, N), or nil: y behind the epilogue, rounded to bfloat16; where an activation follows, whose output is
  ///     that, y rounded to float16.
  ///   - queue: work that waits to run beside this one's.
  /// - Precondition: K > 0; the operands fit each other.
  /// - Accuracy: |error| ≤ (K/768 + 771)·ε·(Σ|x·weight| + |bias|) + K·2⁻¹²⁶ of the rounded operands' product, in the order
  ///   of tiles (K/32 + 19)·ε·…; `PairedLinearTests` enforces it.
  /// - Complexity: 2·R·N·K FLOP; 2 bytes a weight for each block of rows of R that tasks are made of.
  public static func forward(
    _ x: Matrix, weight: PairedOperand, bias: Tensor?, y: Matrix, epilogue: Epilogue? = nil,
    rounded: Matrix? = nil, context: ExecutionContext, beside queue: WorkQueue? = nil
  ) {
    context.perform(
      GEMM.work(
        x, weight, bias: bias, into: y, epilogue: epilogue, rounded: rounded, context: context),
      beside: queue, operand: weight.name)
  }

  /// The gradients of `forward`, in one parallel region.
  ///
  ///     dx[r,k] = Σ_n dout[r,n]·weight[n,k]    dweight[n,k] (+)= Σ_r dout[r,n]·x[r,k]    dbias[n] (+)= Σ_r dout[r,n]
  ///
  /// - Parameters:
  ///   - dout: (R, N), bfloat16. x: (R, K), bfloat16.
  ///   - weight: weight (N, K), laid out: another layout than the forward pass's; or as numbers. It has the order of the
  ///     sums.
  ///   - accumulate: whether dweight and dbias are added to or overwritten.
  ///   - dx: (R, K), overwritten.
  ///   - epilogue: what follows for dx, or nil.
  ///   - rounded: (R, K), bfloat16, or nil: dx behind the epilogue, rounded.
  ///   - dweight: (N, K). dbias: (N), or nil: the sum of dout as it is rounded.
  ///   - queue: work that waits to run beside this one's.
  /// - Precondition: R, N > 0; the operands fit each other.
  /// - Accuracy: as `forward`, with sums over N, R and R terms.
  /// - Complexity: 4·R·N·K FLOP.
  public static func backward(
    _ dout: Matrix, x: Matrix, weight: PairedOperand, accumulate: Bool, dx: Matrix, epilogue: Epilogue? = nil,
    rounded: Matrix? = nil, dweight: Matrix, dbias: Tensor?, context: ExecutionContext,
    beside queue: WorkQueue? = nil
  ) {
    let outputs = dout.columns
    precondition(dbias.map { $0.count == outputs } ?? true, "a bias gradient has \(outputs) elements")
    let inputGradient = GEMM.work(
      dout, weight, into: dx, epilogue: epilogue, rounded: rounded, context: context)
    let weightGradient = GEMM.work(
      dout.transposed, .rows(x, weight.order), accumulate: accumulate, into: dweight, context: context)
    let kernels = context.kernels
    let biasGradient = Work.blocks(
      of: context.blockSize(outputs, least: 64, multipleOf: 64), in: dbias == nil ? 0 : outputs
    ) { columns, _ in
      guard let dbias else { return }
      kernels.columnSum(paired: dout, columns: columns, accumulate: accumulate, out: dbias)
    }
    context.perform(
      inputGradient, weightGradient, biasGradient, beside: queue, operand: dweight.tensor.name)
  }
}
