import Machine

/// Token and position embeddings.
public enum Encoder {
  /// out[r] = wte[tokens[r]] + wpe[r mod T].
  ///
  /// - Parameters:
  ///   - tokens: (B·T), below the rows of wte.
  ///   - wte: (Vp, C). wpe: (≥ T, C).
  ///   - sequenceLength: T, of which the tokens are a multiple.
  ///   - out: (B·T, C), overwritten.
  /// - Precondition: matrices are dense and fit each other.
  /// - Accuracy: rounded once.
  /// - Complexity: B·T·C FLOP, 12 bytes an element; no token is looked at twice.
  public static func forward(
    _ tokens: BoundedIntegers, wte: Matrix, wpe: Matrix, sequenceLength: Int, out: Matrix,
    context: ExecutionContext
  ) {
    check(tokens, wte: wte, wpe: wpe, sequenceLength: sequenceLength, stream: out)
    context.perform(
      .blocks(of: context.blockSize(out.rows, least: 16), in: out.rows) { range, _ in
        context.kernels.encoderForward(
          tokens, wte: wte, wpe: wpe, rows: range, sequenceLength: sequenceLength, out: out)
      })
  }

  /// dwte[token] += dout, dwpe[t] += dout, over all positions in ascending order.
  ///
  /// Threads take ranges of columns, so equal tokens never meet in two of them.
  ///
  /// - Parameters:
  ///   - dout: (B·T, C).
  ///   - tokens, sequenceLength: as in `forward`.
  ///   - accumulate: whether dwpe is added to or overwritten; dwte is always added to, as the tied head wrote it first.
  ///   - dwte: (Vp, C). dwpe: (≥ T, C).
  /// - Precondition: matrices are dense and fit each other.
  /// - Complexity: 2·B·T·C FLOP, 20 bytes an element.
  public static func backward(
    _ dout: Matrix, tokens: BoundedIntegers, sequenceLength: Int, accumulate: Bool, dwte: Matrix,
    dwpe: Matrix, context: ExecutionContext
  ) {
    check(tokens, wte: dwte, wpe: dwpe, sequenceLength: sequenceLength, stream: dout)
    if !accumulate { Residual.zero(dwpe.flat, context: context) }
    let channels = dout.rows == 0 ? 0 : dout.columns
    context.perform(
      .blocks(of: context.blockSize(channels, least: 32, multipleOf: 16), in: channels) { columns, _ in
        context.kernels.encoderBackward(
          tokens, dout, sequenceLength: sequenceLength, columns: columns, dwte: dwte, dwpe: dwpe)
      })
  }

  private static func check(
    _ tokens: BoundedIntegers, wte: Matrix, wpe: Matrix, sequenceLength: Int, stream: Matrix
  ) {
    precondition(
      sequenceLength > 0 && tokens.count % sequenceLength == 0 && stream.rows == tokens.count,
      "\(tokens.count) tokens for \(stream.rows) rows, sequences of \(sequenceLength)")
    precondition(
      tokens.bound <= wte.rows && sequenceLength <= wpe.rows,
      "tokens below \(tokens.bound) of \(wte.rows), \(sequenceLength) positions of \(wpe.rows)")
    precondition(
      wte.columns == stream.columns && wpe.columns == stream.columns && stream.isDense && wte.isDense
        && wpe.isDense, "dense matrices of \(stream.columns) columns")
  }
}
