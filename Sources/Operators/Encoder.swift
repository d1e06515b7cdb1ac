import Machine

/// Token and position embeddings.
public enum Encoder {
  /// out[b,t] = wte[tokens[b,t]] + wpe[t].
  ///
  /// - Parameters:
  ///   - tokens: (B·T), each within the rows of wte.
  ///   - wte: (Vp, C). wpe: (≥ T, C).
  ///   - out: (B, T, C), overwritten.
  /// - Accuracy: rounded once.
  /// - Complexity: B·T·C FLOP, 12 bytes an element.
  public static func forward(
    _ tokens: [Int32], wte: Tensor, wpe: Tensor, batchSize: Int, sequenceLength: Int, channels: Int,
    out: Tensor,
    context: ExecutionContext
  ) {
    check(
      tokens, wte: wte, wpe: wpe, batchSize: batchSize, sequenceLength: sequenceLength, channels: channels)
    let rows = batchSize * sequenceLength
    context.perform(
      .blocks(of: context.blockSize(rows, least: 16), in: rows) { range, _ in
        context.kernels.encoderForward(
          tokens, wte: wte, wpe: wpe, rows: range, sequenceLength: sequenceLength, channels: channels,
          out: out)
      })
  }

  /// dwte[token] += dout, dwpe[t] += dout, over all positions in ascending order.
  ///
  /// Threads take ranges of columns, so equal tokens never meet in two of them.
  ///
  /// - Parameters:
  ///   - dout: (B, T, C).
  ///   - accumulate: whether dwpe is added to or overwritten; dwte is always added to, as the tied head wrote it first.
  ///   - dwte: (Vp, C). dwpe: (≥ T, C).
  /// - Complexity: 2·B·T·C FLOP, 20 bytes an element.
  public static func backward(
    _ dout: Tensor, tokens: [Int32], batchSize: Int, sequenceLength: Int, channels: Int, accumulate: Bool,
    dwte: Tensor, dwpe: Tensor, context: ExecutionContext
  ) {
    check(
      tokens, wte: dwte, wpe: dwpe, batchSize: batchSize, sequenceLength: sequenceLength, channels: channels)
    if !accumulate { Residual.zero(dwpe, context: context) }
    context.perform(
      .blocks(of: context.blockSize(channels, least: 32, multipleOf: 16), in: channels) { columns, _ in
        context.kernels.encoderBackward(
          tokens, dout, batchSize: batchSize, sequenceLength: sequenceLength, channels: channels,
          columns: columns,
          dwte: dwte, dwpe: dwpe)
      })
  }

  private static func check(
    _ tokens: [Int32], wte: Tensor, wpe: Tensor, batchSize: Int, sequenceLength: Int, channels: Int
  ) {
    precondition(tokens.count == batchSize * sequenceLength && wpe.count >= sequenceLength * channels)
    let rows = Int32(wte.count / channels)
    precondition(tokens.allSatisfy { $0 >= 0 && $0 < rows }, "a token lies outside the embedding")
  }
}
