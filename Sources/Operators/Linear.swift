import Machine

/// The affine map of a linear layer.
public enum Linear {
  /// Multiplies each row of `x` by the transposed weight and adds the bias.
  ///
  ///     y[r,n] = Σ_k x[r,k]·weight[n,k] + bias[n]
  ///
  /// - Parameters:
  ///   - x: (R, K), row-major.
  ///   - weight: (N, K); more rows may follow and are ignored.
  ///   - bias: (N), or nil.
  ///   - rows, inputs, outputs: R, K, N.
  ///   - rowStride: floats between rows of y; N by default.
  ///   - y: (R, N), overwritten.
  ///   - epilogue: what follows, element by element, or nil; the accuracy is that before it.
  /// - Accuracy: |error| ≤ (K/384 + 387)·ε·(Σ|x·weight| + |bias|); `LinearTests` enforces it.
  /// - Complexity: 2·R·N·K FLOP; the weight is read once for each block of rows of R that tasks are made of.
  public static func forward(
    _ x: Tensor, weight: Tensor, bias: Tensor?, rows: Int, inputs: Int, outputs: Int, rowStride: Int? = nil,
    y: Tensor, epilogue: Epilogue? = nil, context: ExecutionContext
  ) {
    context.perform(
      GEMM.work(
        Matrix(x, rowStride: inputs), Matrix(weight, rowStride: inputs).transposed, bias: bias, rows: rows,
        columns: outputs, depth: inputs, into: Matrix(y, rowStride: rowStride ?? outputs), epilogue: epilogue,
        context: context))
  }

  /// The gradients of `forward`, in one parallel region.
  ///
  ///     dx[r,k] = Σ_n dout[r,n]·weight[n,k]    dweight[n,k] (+)= Σ_r dout[r,n]·x[r,k]    dbias[n] (+)= Σ_r dout[r,n]
  ///
  /// - Parameters:
  ///   - dout: (R, N) with `rowStride` floats between rows.
  ///   - accumulate: whether dweight and dbias are added to or overwritten.
  ///   - dx: (R, K), overwritten.
  ///   - epilogue: what follows for dx, or nil.
  ///   - dweight: (N, K). dbias: (N), or nil.
  ///   - queue: work that waits to run beside this one's.
  /// - Accuracy: as `forward`, with sums over N, R and R terms.
  /// - Complexity: 4·R·N·K FLOP.
  public static func backward(
    _ dout: Tensor, x: Tensor, weight: Tensor, rows: Int, inputs: Int, outputs: Int, rowStride: Int? = nil,
    accumulate: Bool, dx: Tensor, epilogue: Epilogue? = nil, dweight: Tensor, dbias: Tensor?,
    context: ExecutionContext, beside queue: WorkQueue? = nil
  ) {
    let stride = rowStride ?? outputs
    let gradient = Matrix(dout, rowStride: stride)
    let inputGradient = GEMM.work(
      gradient, Matrix(weight, rowStride: inputs), rows: rows, columns: inputs, depth: outputs,
      into: Matrix(dx, rowStride: inputs), epilogue: epilogue, context: context)
    let weightGradient = GEMM.work(
      gradient.transposed, Matrix(x, rowStride: inputs), rows: outputs, columns: inputs, depth: rows,
      accumulate: accumulate, into: Matrix(dweight, rowStride: inputs), context: context)
    let kernels = context.kernels
    let biasGradient = Work.blocks(
      of: context.blockSize(outputs, least: 64, multipleOf: 64), in: dbias == nil ? 0 : outputs
    ) { columns, _ in
      guard let dbias else { return }
      kernels.columnSum(
        dout, rows: rows, columns: columns, rowStride: stride, accumulate: accumulate, out: dbias)
    }
    context.perform(inputGradient, weightGradient, biasGradient, beside: queue)
  }
}
