import Machine

/// Softmax and cross-entropy of the logits against target tokens.
///
/// Logits are (R, V). Where their row stride Vp exceeds V, what lies between is padding: ignored, and 0 in gradients.
public enum CrossEntropy {
  /// losses[r] = log Σ_v exp(logits[r,v]) − logits[r,targets[r]].
  ///
  /// - Parameters:
  ///   - logits: (R, V).
  ///   - targets: (R), below V.
  ///   - losses: (R), overwritten; their mean is the loss.
  ///   - logSumExp: (R), kept for the backward pass.
  /// - Accuracy: `CrossEntropyTests` derives and enforces the bound.
  /// - Complexity: ≈ 25·R·V FLOP; the row is read twice, the second time from cache.
  public static func forward(
    _ logits: Matrix, targets: BoundedIntegers, losses: Tensor, logSumExp: Tensor, context: ExecutionContext
  ) {
    check(logits, targets: targets, losses, logSumExp)
    context.perform(
      .blocks(of: context.blockSize(logits.rows, least: 1), in: logits.rows) { rows, _ in
        context.kernels.crossEntropyForward(
          logits, targets: targets, rows: rows, losses: losses, logSumExp: logSumExp)
      })
  }

  /// dlogits[r,v] = (softmax(logits[r])[v] − [v = targets[r]])·scale; padding becomes 0.
  ///
  /// - Parameters:
  ///   - logits: (R, V). targets, logSumExp: (R), as in `forward`.
  ///   - scale: 1/R for the mean.
  ///   - dlogits: (R, V), overwritten; may be logits.
  /// - Precondition: dlogits is laid out as the logits, and its tensor holds the last row's padding too.
  /// - Complexity: ≈ 20·R·V FLOP; 8·R·Vp bytes.
  public static func backward(
    _ logits: Matrix, targets: BoundedIntegers, logSumExp: Tensor, scale: Float, dlogits: Matrix,
    context: ExecutionContext
  ) {
    check(logits, targets: targets, logSumExp, logSumExp)
    precondition(dlogits.hasLayout(of: logits), "logits and their gradient are laid out alike")
    context.perform(
      .blocks(of: context.blockSize(logits.rows, least: 1), in: logits.rows) { rows, _ in
        context.kernels.crossEntropyBackward(
          logits, targets: targets, logSumExp: logSumExp, scale: scale, rows: rows, dlogits: dlogits)
      })
  }

  /// Both passes over each row while it is in cache: `forward`, then `backward`.
  ///
  /// - Parameters:
  ///   - logits, targets, scale, losses, logSumExp: as in `forward` and `backward`.
  ///   - dlogits: (R, V), overwritten: float32, as in `backward`; or bfloat16, an operand of products, rounded as
  ///     `OperandLayout` does, each row in memory of its own or where its logits begin. What follows a row's bfloat16
  ///     is left as it is.
  /// - Complexity: ≈ 45·R·V FLOP; 8·R·Vp bytes, into bfloat16 6·R·V.
  public static func forwardBackward(
    _ logits: Matrix, targets: BoundedIntegers, scale: Float, losses: Tensor, logSumExp: Tensor,
    dlogits: Matrix, context: ExecutionContext
  ) {
    check(logits, targets: targets, losses, logSumExp)
    let isOperand =
      dlogits.elementType == .bfloat16 && dlogits.rows == logits.rows && dlogits.columns == logits.columns
      && dlogits.columnStride == 1
    precondition(
      isOperand || dlogits.elementType == .float32 && dlogits.hasLayout(of: logits),
      "a gradient of \(logits.rows) rows of \(logits.columns) logits")
    let kernels = context.kernels
    context.perform(
      .blocks(of: context.blockSize(logits.rows, least: 1), in: logits.rows) { rows, _ in
        for row in rows {
          kernels.crossEntropyForward(
            logits, targets: targets, rows: row..<row + 1, losses: losses, logSumExp: logSumExp)
          kernels.crossEntropyBackward(
            logits, targets: targets, logSumExp: logSumExp, scale: scale, rows: row..<row + 1,
            dlogits: dlogits)
        }
      })
  }

  private static func check(
    _ logits: Matrix, targets: BoundedIntegers, _ first: Tensor, _ second: Tensor
  ) {
    precondition(
      targets.bound <= logits.columns, "targets below \(targets.bound) for \(logits.columns) columns")
    precondition(
      targets.count == logits.rows && first.count == logits.rows && second.count == logits.rows
        && logits.columnStride == 1, "targets and losses for \(logits.rows) rows")
  }
}
