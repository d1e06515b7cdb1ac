import Machine

/// Softmax and cross-entropy of the logits against target tokens.
public enum CrossEntropy {
  /// losses[r] = log Σ_v exp(logits[r,v]) − logits[r,targets[r]].
  ///
  /// - Parameters:
  ///   - logits: (R, Vp); columns V..<Vp are padding and ignored.
  ///   - targets: (R), each in 0..<V.
  ///   - losses: (R), overwritten; their mean is the loss.
  ///   - logSumExp: (R), kept for the backward pass.
  /// - Accuracy: `CrossEntropyTests` derives and enforces the bound.
  /// - Complexity: ≈ 25·R·V FLOP; the row is read twice, the second time from cache.
  public static func forward(
    _ logits: Tensor, targets: [Int32], vocabularySize: Int, paddedVocabularySize: Int, losses: Tensor,
    logSumExp: Tensor, context: ExecutionContext
  ) {
    precondition(
      targets.allSatisfy { $0 >= 0 && Int($0) < vocabularySize }, "a target lies outside the vocabulary")
    context.perform(
      .blocks(of: context.blockSize(targets.count, least: 1), in: targets.count) { rows, _ in
        context.kernels.crossEntropyForward(
          logits, targets: targets, rows: rows, vocabularySize: vocabularySize,
          rowStride: paddedVocabularySize,
          losses: losses, logSumExp: logSumExp)
      })
  }

  /// dlogits[r,v] = (softmax(logits[r])[v] − [v = targets[r]])·scale; padding becomes 0.
  ///
  /// - Parameters:
  ///   - logits: (R, Vp). targets, logSumExp: (R), as in `forward`.
  ///   - scale: 1/R for the mean.
  ///   - dlogits: (R, Vp), overwritten; may be logits.
  /// - Complexity: ≈ 20·R·V FLOP; 8·R·Vp bytes.
  public static func backward(
    _ logits: Tensor, targets: [Int32], logSumExp: Tensor, scale: Float, vocabularySize: Int,
    paddedVocabularySize: Int, dlogits: Tensor, context: ExecutionContext
  ) {
    precondition(
      targets.allSatisfy { $0 >= 0 && Int($0) < vocabularySize }, "a target lies outside the vocabulary")
    context.perform(
      .blocks(of: context.blockSize(targets.count, least: 1), in: targets.count) { rows, _ in
        context.kernels.crossEntropyBackward(
          logits, targets: targets, logSumExp: logSumExp, scale: scale, rows: rows,
          vocabularySize: vocabularySize,
          rowStride: paddedVocabularySize, dlogits: dlogits)
      })
  }

  /// Both passes over each row while it is in cache: `forward`, then `backward` in place.
  ///
  /// - Parameters: as in `forward` and `backward`; `logits` receives its own gradient.
  /// - Complexity: ≈ 45·R·V FLOP; 8·R·Vp bytes.
  public static func forwardBackward(
    _ logits: Tensor, targets: [Int32], scale: Float, vocabularySize: Int, paddedVocabularySize: Int,
    losses: Tensor, logSumExp: Tensor, context: ExecutionContext
  ) {
    precondition(
      targets.allSatisfy { $0 >= 0 && Int($0) < vocabularySize }, "a target lies outside the vocabulary")
    let kernels = context.kernels
    context.perform(
      .blocks(of: context.blockSize(targets.count, least: 1), in: targets.count) { rows, _ in
        for row in rows {
          kernels.crossEntropyForward(
            logits, targets: targets, rows: row..<row + 1, vocabularySize: vocabularySize,
            rowStride: paddedVocabularySize, losses: losses, logSumExp: logSumExp)
          kernels.crossEntropyBackward(
            logits, targets: targets, logSumExp: logSumExp, scale: scale, rows: row..<row + 1,
            vocabularySize: vocabularySize, rowStride: paddedVocabularySize, dlogits: logits)
        }
      })
  }
}
