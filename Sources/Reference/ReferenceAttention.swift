import RealModule

/// Causal multi-head self-attention.
///
/// Sizes: B sequences of T tokens, C channels in NH heads of hs = C / NH. A row of `qkv` holds the query, the
/// key and the value of one token, C channels each, and in each of the three the heads follow one another.
///
/// - SeeAlso: Vaswani et al. 2017, arXiv:1706.03762.
public enum ReferenceAttention {
  /// What the forward pass gives, and the backward pass needs.
  public struct Output<Scalar> {
    /// (B, T, C), the heads side by side.
    public var output: [Scalar]
    /// (B, NH, T, T), scaled scores; zero where s > t.
    public var preattention: [Scalar]
    /// (B, NH, T, T), weights: each row of s ≤ t sums to one; zero where s > t.
    public var attention: [Scalar]
    /// (B, NH, T, T), dropout: what the weights are multiplied by; nil: ones.
    public var mask: [Scalar]?

    /// Arrays of these shapes, or empty ones to be filled.
    @inlinable
    public init(output: [Scalar], preattention: [Scalar], attention: [Scalar], mask: [Scalar]? = nil) {
      self.output = output
      self.preattention = preattention
      self.attention = attention
      self.mask = mask
    }
  }

  /// The sizes of one call, and where an element lies.
  public struct Shape: Sendable {
    public let batchSize, sequenceLength, channels, heads: Int

    @inlinable
    public init(batchSize: Int, sequenceLength: Int, channels: Int, heads: Int) {
      precondition(heads > 0 && channels % heads == 0)
      self.batchSize = batchSize
      self.sequenceLength = sequenceLength
      self.channels = channels
      self.heads = heads
    }

    /// hs = C / NH.
    @inlinable public var headSize: Int { channels / heads }
    /// Elements of (B, T, C).
    @inlinable public var count: Int { batchSize * sequenceLength * channels }
    /// Elements of (B, NH, T, T).
    @inlinable public var scoreCount: Int { batchSize * heads * sequenceLength * sequenceLength }

    /// Start of the head's query (part 0), key (1) or value (2) of token t in (B, T, 3C).
    @inlinable
    public func vector(_ b: Int, _ t: Int, head: Int, part: Int) -> Int {
      ((b * sequenceLength + t) * 3 + part) * channels + head * headSize
    }
    /// Start of the head's output of token t in (B, T, C).
    @inlinable
    public func output(_ b: Int, _ t: Int, head: Int) -> Int {
      (b * sequenceLength + t) * channels + head * headSize
    }
    /// Start of the row of scores of token t in (B, NH, T, T).
    @inlinable
    public func row(_ b: Int, _ t: Int, head: Int) -> Int {
      ((b * heads + head) * sequenceLength + t) * sequenceLength
    }
  }

  /// Each token gathers the values of itself and the tokens before it.
  ///
  ///     preatt[b,h,t,s] = Σ_i q[b,t,h,i] · k[b,s,h,i] / √hs            for s ≤ t
  ///     att[b,h,t,s]    = exp(preatt[t,s] − max_s) / Σ_s exp(preatt[t,s] − max_s)
  ///     y[b,t,h,i]      = Σ_{s ≤ t} mask[b,h,t,s] · att[b,h,t,s] · v[b,s,h,i]
  ///
  /// - Parameters:
  ///   - qkv: (B, T, 3C), of operands.
  ///   - operands: what exp(preatt − max) and y become, which products multiply.
  ///   - mask: (B, NH, T, T), or nil for ones.
  /// - Precondition: NH divides C.
  /// - Complexity: ≈ 2·B·T²·C FLOP for the causal half.
  @inlinable
  public static func forward<Scalar: Real & BinaryFloatingPoint>(
    _ qkv: [Scalar], batchSize: Int, sequenceLength: Int, channels: Int, heads: Int,
    operands: ReferenceOperands = .exact, mask: [Scalar]? = nil
  ) -> Output<Scalar> {
    let shape = Shape(
      batchSize: batchSize, sequenceLength: sequenceLength, channels: channels, heads: heads)
    precondition(qkv.count == 3 * shape.count)
    var result = Output(
      output: [Scalar](repeating: 0, count: shape.count),
      preattention: [Scalar](repeating: 0, count: shape.scoreCount),
      attention: [Scalar](repeating: 0, count: shape.scoreCount), mask: mask)
    precondition(mask.map { $0.count == shape.scoreCount } ?? true)
    for b in 0..<batchSize {
      for head in 0..<heads {
        for t in 0..<sequenceLength {
          forwardToken(qkv, shape, b, t, head: head, operands, result: &result)
        }
      }
    }
    result.output = operands(result.output)
    return result
  }

  /// One row of scores, weights and output.
  @inlinable
  static func forwardToken<Scalar: Real & BinaryFloatingPoint>(
    _ qkv: [Scalar], _ shape: Shape, _ b: Int, _ t: Int, head: Int, _ operands: ReferenceOperands,
    result: inout Output<Scalar>
  ) {
    let headSize = shape.headSize
    let scale = 1 / Scalar(headSize).squareRoot()
    let query = shape.vector(b, t, head: head, part: 0)
    let row = shape.row(b, t, head: head)
    var maximum = -Scalar.infinity
    for s in 0...t {
      let key = shape.vector(b, s, head: head, part: 1)
      var score: Scalar = 0
      for i in 0..<headSize { score += qkv[query + i] * qkv[key + i] }
      result.preattention[row + s] = score * scale
      maximum = max(maximum, score * scale)
    }
    var sum: Scalar = 0
    for s in 0...t {
      result.attention[row + s] = Scalar.exp(result.preattention[row + s] - maximum)
      sum += result.attention[row + s]
    }
    let output = shape.output(b, t, head: head)
    let weights = operands(Array(result.attention[row...row + t]))
    for s in 0...t {
      result.attention[row + s] /= sum
      let value = shape.vector(b, s, head: head, part: 2)
      let weight = weights[s] * (result.mask?[row + s] ?? 1)
      for i in 0..<headSize { result.output[output + i] += weight * qkv[value + i] }
    }
    // By what was multiplied: what the roundings of all weights have in common cancels.
    let weight = weights.reduce(0, +)
    for i in 0..<headSize { result.output[output + i] /= weight }
  }

  /// The gradient of queries, keys and values.
  ///
  ///     datt[t,s]    = mask[t,s] · Σ_i dy[t,i] · v[s,i]          dv[s,i] = Σ_{t ≥ s} mask[t,s] · att[t,s] · dy[t,i]
  ///     dpreatt[t,s] = att[t,s] · (datt[t,s] − Σ_i dy[t,i] · y[t,i])
  ///     dq[t,i]      = Σ_{s ≤ t} dpreatt[t,s] · k[s,i] / √hs
  ///     dk[s,i]      = Σ_{t ≥ s} dpreatt[t,s] · q[t,i] / √hs
  ///
  /// - Parameters:
  ///   - dout: (B, T, C). qkv: (B, T, 3C). Of operands.
  ///   - kept: of the forward pass.
  ///   - operands: what mask · att and dpreatt / √hs become, which products multiply.
  /// - Returns: dqkv (B, T, 3C).
  @inlinable
  public static func backward<Scalar: Real & BinaryFloatingPoint>(
    _ dout: [Scalar], qkv: [Scalar], kept: Output<Scalar>, batchSize: Int, sequenceLength: Int, channels: Int,
    heads: Int, operands: ReferenceOperands = .exact
  ) -> [Scalar] {
    let shape = Shape(
      batchSize: batchSize, sequenceLength: sequenceLength, channels: channels, heads: heads)
    precondition(dout.count == shape.count && qkv.count == 3 * shape.count)
    precondition(kept.attention.count == shape.scoreCount && kept.output.count == shape.count)
    var dqkv = [Scalar](repeating: 0, count: qkv.count)
    for b in 0..<batchSize {
      for head in 0..<heads {
        for t in 0..<sequenceLength {
          backwardToken(dout, qkv, kept, shape, b, t, head: head, operands, dqkv: &dqkv)
        }
      }
    }
    return dqkv
  }

  /// What token t sends back to its own query and to the keys and values it looked at.
  @inlinable
  static func backwardToken<Scalar: Real & BinaryFloatingPoint>(
    _ dout: [Scalar], _ qkv: [Scalar], _ kept: Output<Scalar>, _ shape: Shape, _ b: Int, _ t: Int, head: Int,
    _ operands: ReferenceOperands, dqkv: inout [Scalar]
  ) {
    let headSize = shape.headSize
    let scale = 1 / Scalar(headSize).squareRoot()
    let query = shape.vector(b, t, head: head, part: 0)
    let output = shape.output(b, t, head: head)
    let row = shape.row(b, t, head: head)
    let attention = Array(kept.attention[row...row + t])
    let mask = kept.mask.map { Array($0[row...row + t]) }
    let weights = operands(ReferenceDropout.apply(mask, to: attention))
    var dscores = [Scalar](repeating: 0, count: t + 1)
    var mean: Scalar = 0
    for i in 0..<headSize { mean += dout[output + i] * kept.output[output + i] }
    for s in 0...t {
      let value = shape.vector(b, s, head: head, part: 2)
      var dattention: Scalar = 0
      for i in 0..<headSize {
        dattention += dout[output + i] * qkv[value + i]
        dqkv[value + i] += weights[s] * dout[output + i]
      }
      dscores[s] = attention[s] * (dattention * (mask?[s] ?? 1) - mean) * scale
    }
    dscores = operands(dscores)
    for s in 0...t {
      let key = shape.vector(b, s, head: head, part: 1)
      for i in 0..<headSize {
        dqkv[query + i] += dscores[s] * qkv[key + i]
        dqkv[key + i] += dscores[s] * qkv[query + i]
      }
    }
  }
}
