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

  /// Whether the operands of a pass have these sizes.
  func check(qkv: Matrix, out: Matrix, logSumExp: Tensor) {
    let rows = batchSize * sequenceLength
    precondition(
      qkv.rows == rows && qkv.columns == 3 * channels && qkv.columnStride == 1,
      "queries, keys and values are (\(rows), \(3 * channels))")
    precondition(
      out.rows == rows && out.columns == channels && out.columnStride == 1,
      "outputs are (\(rows), \(channels))")
    precondition(logSumExp.count == rows * heads, "log Σ exp has \(rows * heads) elements")
  }

  func head(_ index: Int) -> AttentionHead {
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
  ///   - qkv: (B·T, 3C): query, key and value side by side, heads side by side in each.
  ///   - out: (B·T, C), overwritten.
  ///   - logSumExp: (B, NH, T), kept for the backward pass instead of the weights.
  ///   - kept: where to store scores and weights, or nil; weights are those before dropout.
  ///   - dropout: the mask of the weights of head 0, those of the other heads at the sites behind it; rows are positions
  ///     of the batch, columns are keys. nil: all are kept.
  /// - Precondition: the context has reserved scratch for T.
  /// - Accuracy: `AttentionTests` derives and enforces the bound.
  /// - Complexity: ≈ 2·B·C·T² FLOP (the causal half of 4·B·C·T²), in tasks of 256 queries of one head, or of 128.
  /// - SeeAlso: Dao 2023, arXiv:2307.08691.
  public static func forward(
    _ qkv: Matrix, shape: AttentionShape, out: Matrix, logSumExp: Tensor, kept: AttentionWeights? = nil,
    dropout: DropoutMask? = nil, context: ExecutionContext
  ) {
    shape.check(qkv: qkv, out: out, logSumExp: logSumExp)
    shape.check(kept)
    context.perform(
      shape.forwardWork(threads: context.threads) { head, queries, worker in
        context.kernels.attentionForward(
          qkv, head: head, queries: queries, out: out, logSumExp: logSumExp, kept: kept,
          dropout: dropout, scratch: context.scratch(worker))
      })
  }

  /// Floats of shared scratch that `backward` needs: at most 3.5·B·T·C, 2.6·B·T·C at T = 1024, none up to 256.
  public static func sharedScratchCount(shape: AttentionShape) -> Int {
    shape.batchSize * shape.heads * AttentionChunks(shape).partialCount
  }

  /// The gradient of `forward` with respect to query, key and value.
  ///
  /// - Parameters:
  ///   - dout, out: (B·T, C), with the same row stride. qkv, logSumExp: as in `forward`.
  ///   - dqkv: (B·T, 3C), overwritten.
  ///   - dropout: that of the forward pass.
  /// - Precondition: the context has reserved scratch for T and `sharedScratchCount`.
  /// - Accuracy: `AttentionTests` derives and enforces the bound.
  /// - Complexity: ≈ 5·B·C·T² FLOP, in tasks of one head and up to a quarter of its work, or 128 keys; where there are
  ///   several, a second parallel region adds what each contributes to dq, in the keys' order.
  /// - SeeAlso: Dao 2023, arXiv:2307.08691.
  public static func backward(
    _ dout: Matrix, qkv: Matrix, out: Matrix, logSumExp: Tensor, shape: AttentionShape, dqkv: Matrix,
    dropout: DropoutMask? = nil, context: ExecutionContext
  ) {
    shape.check(qkv: qkv, out: out, logSumExp: logSumExp)
    shape.check(qkv: dqkv, out: dout, logSumExp: logSumExp)
    precondition(dout.hasLayout(of: out), "an output and its gradient are laid out alike")
    let partials = context.shared(0..<sharedScratchCount(shape: shape))
    let chunks = AttentionChunks(shape)
    context.perform(
      chunks.work(partials) { head, keys, partial, worker in
        context.kernels.attentionBackward(
          dout, qkv: qkv, out: out, logSumExp: logSumExp, head: head, keys: keys, dqkv: dqkv,
          partial: partial, dropout: dropout, scratch: context.scratch(worker))
      })
    if chunks.count == 1 { return }
    context.perform(chunks.sums(partials, dqkv: dqkv, context: context))
  }
}

extension AttentionShape {
  func check(_ kept: AttentionWeights?) {
    guard let kept else { return }
    let count = batchSize * heads * sequenceLength * sequenceLength
    precondition(kept.scores.count == count && kept.weights.count == count, "\(count) scores and weights")
  }

  /// The tasks of a forward pass: some queries of one head each, fewer where threads are many.
  package func forwardWork(
    threads: Int,
    _ body: @escaping (_ head: AttentionHead, _ queries: Range<Int>, _ worker: Int) -> Void
  ) -> Work {
    let count = batchSize * heads
    func blocks(of size: Int) -> Int { (sequenceLength + size - 1) / size }
    let isMany = count * blocks(of: Kernels.attentionQueries) < ExecutionContext.tasksPerThread * threads
    let size = isMany && threads > 1 ? Kernels.attentionBlock : Kernels.attentionQueries
    let blocks = blocks(of: size)
    return Work(count: count * blocks, lap: count) { task, worker in
      // The longest blocks first: what is left at the end is short, and nobody waits for it long.
      let first = (blocks - 1 - task / count) * size
      body(head(task % count), first..<min(sequenceLength, first + size), worker)
    }
  }
}

/// How the backward pass cuts a head's keys into tasks, by T alone: the cuts decide the order in which dq is summed.
package struct AttentionChunks {
  /// So many keys are one task: heads are enough where sequences are short.
  static let undivided = 256
  /// A chunk has this part of its head's work at the most, if it is more than a block: 128 threads then find enough to do
  /// beside the longest, and what chunks contribute to dq takes 2.6 times its size at T = 1024.
  static let parts = 4

  /// The first keys of all chunks, and T.
  private let bounds: [Int]
  /// All chunks, those with the most work first: what is left at the end is short, and nobody waits for it long.
  private let longestFirst: [Int]
  private let shape: AttentionShape

  package var count: Int { bounds.count - 1 }

  package init(_ shape: AttentionShape) {
    self.shape = shape
    let (length, block) = (shape.sequenceLength, Kernels.attentionBlock)
    /// Twice the pairs of a key from this one on and a query.
    func work(from key: Int) -> Int { (length - key) * (length - key) }
    var bounds = [0]
    for key in stride(from: block, to: length > Self.undivided ? length : 0, by: block) {
      let withBlock = work(from: bounds[bounds.count - 1]) - work(from: min(length, key + block))
      if withBlock * Self.parts > work(from: 0) { bounds.append(key) }
    }
    bounds.append(length)
    self.bounds = bounds
    longestFirst = (0..<bounds.count - 1).sorted { [bounds] left, right in
      work(from: bounds[left]) - work(from: bounds[left + 1])
        > work(from: bounds[right]) - work(from: bounds[right + 1])
    }
  }

  package func keys(_ chunk: Int) -> Range<Int> { bounds[chunk]..<bounds[chunk + 1] }

  /// Floats before those of a chunk, the first of which adds to dq directly.
  private func partialOffset(_ chunk: Int) -> Int {
    (1..<max(1, chunk)).reduce(0) { $0 + (shape.sequenceLength - bounds[$1]) * shape.headSize }
  }

  /// Floats that the contributions of one head take.
  package var partialCount: Int { partialOffset(count) }

  /// Where a chunk's contribution to dq lies among those of all heads: (T − its first key, hs).
  package func partial(_ chunk: Int, head: Int) -> Range<Int> {
    head * partialCount + partialOffset(chunk)..<head * partialCount + partialOffset(chunk + 1)
  }

  /// The tasks of a backward pass: some keys of one head each, and where what they add to dq goes; nil: in place.
  package func work(
    _ partials: Tensor,
    _ body: @escaping (_ head: AttentionHead, _ keys: Range<Int>, _ partial: Tensor?, _ worker: Int) -> Void
  ) -> Work {
    let heads = shape.batchSize * shape.heads
    return Work(count: heads * count, lap: heads) { task, worker in
      let (head, chunk) = (task % heads, longestFirst[task / heads])
      body(
        shape.head(head), keys(chunk), chunk == 0 ? nil : partials.slice(partial(chunk, head: head)), worker)
    }
  }

  /// The tasks that add to dq, in the order of the keys, what all chunks but the first left.
  ///
  /// - Parameter complete: called with what a task has completed.
  func sums(
    _ partials: Tensor, dqkv: Matrix, context: ExecutionContext,
    complete: @escaping (_ head: AttentionHead, _ queries: Range<Int>) -> Void = { _, _ in }
  ) -> Work {
    let heads = shape.batchSize * shape.heads
    return Work(count: heads * (count - 1), lap: heads) { task, _ in
      let (head, queries) = (task % heads, keys(task / heads + 1))
      for chunk in 1...task / heads + 1 {
        context.kernels.attentionAdd(
          partials.slice(partial(chunk, head: head)), first: keys(chunk).lowerBound,
          head: shape.head(head), queries: queries, dqkv: dqkv)
      }
      complete(shape.head(head), queries)
    }
  }
}
