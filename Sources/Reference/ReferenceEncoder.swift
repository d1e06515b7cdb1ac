import RealModule

/// The sum of a token's embedding and its position's.
///
/// Sizes: B sequences of T tokens, C channels, Vp embeddings of tokens and maxT ≥ T of positions.
public enum ReferenceEncoder {
  /// Looks up each token and adds the embedding of its position.
  ///
  ///     y[b,t,c] = mask[b,t,c] · (wte[token[b,t], c] + wpe[t, c])
  ///
  /// - Parameters:
  ///   - tokens: (B, T), each in 0..<Vp.
  ///   - wte: (Vp, C).
  ///   - wpe: (maxT, C).
  ///   - mask: (B, T, C), of dropout; nil: ones.
  /// - Returns: (B, T, C).
  @inlinable
  public static func forward<Scalar: Real & BinaryFloatingPoint>(
    _ tokens: [Int32], wte: [Scalar], wpe: [Scalar], batchSize: Int, sequenceLength: Int, channels: Int,
    mask: [Scalar]? = nil
  ) -> [Scalar] {
    precondition(tokens.count == batchSize * sequenceLength && wpe.count >= sequenceLength * channels)
    var output = [Scalar](repeating: 0, count: tokens.count * channels)
    for row in 0..<tokens.count {
      let token = Int(tokens[row])
      let position = row % sequenceLength
      for c in 0..<channels {
        output[row * channels + c] = wte[token * channels + c] + wpe[position * channels + c]
      }
    }
    return ReferenceDropout.apply(mask, to: output)
  }

  /// Adds each row's gradient to its token's and its position's.
  ///
  ///     dwte[token[b,t], c] += mask[b,t,c] · dy[b,t,c]
  ///     dwpe[t, c]          += mask[b,t,c] · dy[b,t,c]
  ///
  /// - Parameters:
  ///   - dout: (B, T, C).
  ///   - tokens: (B, T).
  ///   - dwte: (Vp, C), accumulated.
  ///   - dwpe: (maxT, C), accumulated.
  ///   - mask: that of the forward pass.
  @inlinable
  public static func backward<Scalar: Real & BinaryFloatingPoint>(
    _ dout: [Scalar], tokens: [Int32], batchSize: Int, sequenceLength: Int, channels: Int,
    dwte: inout [Scalar], dwpe: inout [Scalar], mask: [Scalar]? = nil
  ) {
    precondition(tokens.count == batchSize * sequenceLength && dout.count == tokens.count * channels)
    let dout = ReferenceDropout.apply(mask, to: dout)
    for row in 0..<tokens.count {
      let token = Int(tokens[row])
      let position = row % sequenceLength
      for c in 0..<channels {
        dwte[token * channels + c] += dout[row * channels + c]
        dwpe[position * channels + c] += dout[row * channels + c]
      }
    }
  }
}
