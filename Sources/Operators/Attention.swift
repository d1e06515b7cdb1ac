import Machine

/// The sizes of a causal self-attention.
public struct AttentionShape: Sendable {
  public let batchSize: Int
  public let sequenceLength: Int
  public let heads: Int
  public let channels: Int
  public var headSize: Int { channels / heads }

  /// - Precondition: all positive, channels a multiple of heads.
  public init(batchSize: Int, sequenceLength: Int, heads: Int, channels: Int) {
    precondition(batchSize > 0 && sequenceLength > 0 && heads > 0 && channels > 0 && channels % heads == 0)
    self.batchSize = batchSize
    self.sequenceLength = sequenceLength
    self.heads = heads
    self.channels = channels
  }

  func check(qkv: Tensor, out: Tensor, logSumExp: Tensor) {
    let rows = batchSize * sequenceLength
    precondition(
      qkv.count >= rows * 3 * channels && out.count >= rows * channels && logSumExp.count >= rows * heads)
  }

  fileprivate func head(_ index: Int) -> AttentionHead {
    AttentionHead(shape: self, batch: index / heads, head: index % heads)
  }
}

/// Where attention keeps what it otherwise never stores, for people who look.
public struct AttentionWeights: Sendable {
  /// (B, NH, T, T): q·k/√hs at and before a row's position, 0 after it.
  public let scores: Tensor
  /// (B, NH, T, T): the softmax of that.
  public let weights: Tensor

  public init(scores: Tensor, weights: Tensor) {
    self.scores = scores
    self.weights = weights
  }
}

/// Causal multi-head self-attention.
public enum Attention {
  /// Mixes the values of each position and those before it.
  ///
  ///     out[b,t,h] = Σ_{s≤t} softmax_s(q[b,t,h]·k[b,s,h]/√hs)·v[b,s,h]
  ///
  /// - Parameters:
  ///   - qkv: (B, T, 3C): query, key and value side by side, heads side by side in each.
  ///   - out: (B, T, C), overwritten.
  ///   - logSumExp: (B, NH, T), kept for the backward pass instead of the weights.
  ///   - kept: where to store scores and weights, or nil.
  /// - Precondition: the context has reserved scratch for T.
  /// - Accuracy: `AttentionTests` derives and enforces the bound.
  /// - Complexity: ≈ 2·B·C·T² FLOP (the causal half of 4·B·C·T²), in tasks of 64 queries of one head.
  public static func forward(
    _ qkv: Tensor, shape: AttentionShape, out: Tensor, logSumExp: Tensor, kept: AttentionWeights? = nil,
    context: ExecutionContext
  ) {
    let heads = shape.batchSize * shape.heads
    let size = Kernels.attentionRows
    let blocks = (shape.sequenceLength + size - 1) / size
    context.perform(
      Work(count: heads * blocks) { task, worker in
        // The longest blocks first: what is left at the end is short, and nobody waits for it long.
        let first = (blocks - 1 - task / heads) * size
        context.kernels.attentionForward(
          qkv, head: shape.head(task % heads), queries: first..<min(shape.sequenceLength, first + size),
          out: out,
          logSumExp: logSumExp, kept: kept, scratch: context.scratch(worker))
      })
  }

  /// The gradient of `forward` with respect to query, key and value.
  ///
  /// - Parameters:
  ///   - dout, out: (B, T, C). qkv, logSumExp: as in `forward`.
  ///   - dqkv: (B, T, 3C), overwritten.
  /// - Precondition: the context has reserved scratch for T.
  /// - Complexity: ≈ 5·B·C·T² FLOP, in one task for each batch and head: no more than
  ///   B·NH threads find work.
  /// - SeeAlso: Dao 2023, arXiv:2307.08691.
  public static func backward(
    _ dout: Tensor, qkv: Tensor, out: Tensor, logSumExp: Tensor, shape: AttentionShape, dqkv: Tensor,
    context: ExecutionContext
  ) {
    context.perform(
      Work(count: shape.batchSize * shape.heads) { task, worker in
        context.kernels.attentionBackward(
          dout, qkv: qkv, out: out, logSumExp: logSumExp, head: shape.head(task), dqkv: dqkv,
          scratch: context.scratch(worker))
      })
  }
}
