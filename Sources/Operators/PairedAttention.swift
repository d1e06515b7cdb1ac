import Machine

/// Attention whose products multiply bfloat16; softmax and sums are float32.
extension Attention {
  /// As `forward` in float32: q, k, v and the weights are operands in bfloat16.
  ///
  ///     s = q·k/√hs,  p = softmax(s),  out = Σ p·v: pairs along the head, then pairs along the keys
  ///
  /// The weights are rounded where softmax makes them, out once it is complete.
  ///
  /// - Parameters:
  ///   - qkv: (B·T, 3C), bfloat16.
  ///   - sums: (B·T, C), float32: where out is added up; what was there is lost.
  ///   - out: (B·T, C), bfloat16, overwritten.
  ///   - logSumExp, kept, dropout: as in float32.
  /// - Precondition: the context has reserved scratch for T.
  /// - Accuracy: `PairedAttentionTests` derives and enforces the bound; the bits are `ReferencePairedAttention`'s.
  /// - Complexity: as in float32, products at the speed of bfloat16's.
  public static func forward(
    _ qkv: Matrix, shape: AttentionShape, sums: Matrix, out: Matrix, logSumExp: Tensor,
    kept: AttentionWeights? = nil, dropout: DropoutMask? = nil, context: ExecutionContext
  ) {
    shape.check(qkv: qkv, out: out, logSumExp: logSumExp)
    shape.check(qkv: qkv, out: sums, logSumExp: logSumExp)
    shape.check(kept)
    context.perform(
      shape.forwardWork(threads: context.threads) { head, queries, worker in
        context.kernels.pairedAttentionForward(
          qkv, head: head, queries: queries, sums: sums, out: out, logSumExp: logSumExp, kept: kept,
          dropout: dropout, scratch: context.scratch(worker))
      })
  }

  /// The gradient of `forward` with respect to query, key and value.
  ///
  ///     dv = pᵀ·dout,  ds = p∘(dout·vᵀ − Σ dout·out)/√hs,  dk = dsᵀ·q,  dq = ds·k
  ///
  /// p and ds are rounded once each, ds from p before it is rounded.
  ///
  /// - Parameters:
  ///   - dout, out: (B·T, C), bfloat16, with the same row stride. qkv, logSumExp: as in `forward`.
  ///   - sums: (B·T, 3C), float32: where the gradients are added up; what was there is lost.
  ///   - dqkv: (B·T, 3C), bfloat16, overwritten.
  ///   - dropout: that of the forward pass.
  /// - Precondition: the context has reserved scratch for T and `sharedScratchCount`.
  /// - Accuracy: as `forward`.
  /// - Complexity: as in float32, products at the speed of bfloat16's.
  public static func backward(
    _ dout: Matrix, qkv: Matrix, out: Matrix, logSumExp: Tensor, shape: AttentionShape, sums: Matrix,
    dqkv: Matrix, dropout: DropoutMask? = nil, context: ExecutionContext
  ) {
    shape.check(qkv: qkv, out: out, logSumExp: logSumExp)
    shape.check(qkv: dqkv, out: dout, logSumExp: logSumExp)
    shape.check(qkv: sums, out: out, logSumExp: logSumExp)
    precondition(dout.hasLayout(of: out), "an output and its gradient are laid out alike")
    let partials = context.shared(0..<sharedScratchCount(shape: shape))
    let (kernels, chunks) = (context.kernels, AttentionChunks(shape))
    context.perform(
      chunks.work(partials) { head, keys, partial, worker in
        kernels.pairedAttentionBackward(
          dout, qkv: qkv, out: out, logSumExp: logSumExp, head: head, keys: keys, sums: sums, dqkv: dqkv,
          partial: partial, dropout: dropout, scratch: context.scratch(worker))
      })
    if chunks.count == 1 { return }
    context.perform(
      chunks.sums(partials, dqkv: sums, context: context) { head, queries in
        let first = head.rows.lowerBound
        kernels.round(
          sums.columns(head.columns()), rows: first + queries.lowerBound..<first + queries.upperBound,
          y: dqkv.columns(head.columns()))
      })
  }
}
