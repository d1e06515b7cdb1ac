import CKernels
import Machine

/// One head's place in the operands of attention.
package struct AttentionHead {
  let shape: AttentionShape
  let batch: Int
  let head: Int

  /// Of its sequence.
  var rows: Range<Int> { batch * shape.sequenceLength..<(batch + 1) * shape.sequenceLength }

  /// Of its output, and of its query (part 0), key (1) and value (2).
  func columns(part: Int = 0) -> Range<Int> {
    let first = part * shape.channels + head * shape.headSize
    return first..<first + shape.headSize
  }

  /// Its place in (B, NH, T).
  var sums: Range<Int> {
    let first = (batch * shape.heads + head) * shape.sequenceLength
    return first..<first + shape.sequenceLength
  }

  /// Its place in (B, NH, T, T).
  var scores: Range<Int> {
    sums.lowerBound * shape.sequenceLength..<sums.upperBound * shape.sequenceLength
  }
}

extension DropoutMask {
  /// The mask of one head of one sequence: its queries are rows, and a head has a site of its own.
  func argument(of head: AttentionHead) -> ck_dropout {
    argument(row: head.rows.lowerBound, siteOffset: head.head)
  }
}

/// `Attention` has checked that the operands fit the shape and each other.
extension Kernels {
  func attentionForward(
    _ qkv: Matrix, head: AttentionHead, queries: Range<Int>, out: Matrix, logSumExp: Tensor,
    kept: AttentionWeights?, dropout: DropoutMask?, scratch: Tensor
  ) {
    let shape = head.shape
    precondition(queries.upperBound <= shape.sequenceLength && queries.count <= Self.attentionQueries)
    precondition(scratch.count >= workerScratchCount(sequenceLength: shape.sequenceLength))
    var arguments = unsafe ck_attention_forward()
    unsafe arguments.q = UnsafePointer(qkv.pointer(head.rows, head.columns(part: 0)))
    unsafe arguments.k = UnsafePointer(qkv.pointer(head.rows, head.columns(part: 1)))
    unsafe arguments.v = UnsafePointer(qkv.pointer(head.rows, head.columns(part: 2)))
    unsafe arguments.ld = qkv.rowStride
    unsafe arguments.out = out.pointer(head.rows, head.columns())
    unsafe arguments.ld_out = out.rowStride
    unsafe arguments.log_sum_exp = logSumExp.pointer(head.sums)
    if let kept {
      unsafe arguments.preatt = kept.scores.pointer(head.scores)
      unsafe arguments.att = kept.weights.pointer(head.scores)
    }
    unsafe arguments.first = queries.lowerBound
    unsafe arguments.rows = queries.count
    unsafe arguments.head_size = shape.headSize
    unsafe arguments.t = shape.sequenceLength
    if let dropout { unsafe arguments.dropout = dropout.argument(of: head) }
    unsafe table.pointee.attention_forward(&arguments, scratch.pointer)
  }

  /// - Parameter partial: where what these keys add to dq goes, (T − keys.lowerBound, hs); nil: dq is overwritten
  ///   with it.
  func attentionBackward(
    _ dout: Matrix, qkv: Matrix, out: Matrix, logSumExp: Tensor, head: AttentionHead, keys: Range<Int>,
    dqkv: Matrix, partial: Tensor?, dropout: DropoutMask?, scratch: Tensor
  ) {
    let shape = head.shape
    precondition(keys.upperBound <= shape.sequenceLength)
    precondition(scratch.count >= workerScratchCount(sequenceLength: shape.sequenceLength))
    var arguments = unsafe ck_attention_backward()
    unsafe arguments.q = UnsafePointer(qkv.pointer(head.rows, head.columns(part: 0)))
    unsafe arguments.k = UnsafePointer(qkv.pointer(head.rows, head.columns(part: 1)))
    unsafe arguments.v = UnsafePointer(qkv.pointer(head.rows, head.columns(part: 2)))
    unsafe arguments.ld = qkv.rowStride
    unsafe arguments.out = UnsafePointer(out.pointer(head.rows, head.columns()))
    unsafe arguments.dout = UnsafePointer(dout.pointer(head.rows, head.columns()))
    unsafe arguments.ld_out = out.rowStride
    unsafe arguments.log_sum_exp = UnsafePointer(logSumExp.pointer(head.sums))
    unsafe arguments.dk = dqkv.pointer(head.rows, head.columns(part: 1))
    unsafe arguments.dv = dqkv.pointer(head.rows, head.columns(part: 2))
    unsafe arguments.ld_grad = dqkv.rowStride
    if let partial {
      unsafe arguments.dq = partial.pointer(0..<(shape.sequenceLength - keys.lowerBound) * shape.headSize)
      unsafe arguments.ld_dq = shape.headSize
    } else {
      let first = head.rows.lowerBound + keys.lowerBound
      unsafe arguments.dq = dqkv.pointer(first..<head.rows.upperBound, head.columns())
      unsafe arguments.ld_dq = dqkv.rowStride
    }
    unsafe arguments.first = keys.lowerBound
    unsafe arguments.count = keys.count
    unsafe arguments.head_size = shape.headSize
    unsafe arguments.t = shape.sequenceLength
    if let dropout { unsafe arguments.dropout = dropout.argument(of: head) }
    unsafe table.pointee.attention_backward(&arguments, scratch.pointer)
  }

  /// dq[queries] += rows of `partial`, whose first row is that of query `first`.
  func attentionAdd(
    _ partial: Tensor, first: Int, head: AttentionHead, queries: Range<Int>, dqkv: Matrix
  ) {
    let size = head.shape.headSize
    let gradient = unsafe dqkv.pointer(
      head.rows.lowerBound + queries.lowerBound..<head.rows.lowerBound + queries.upperBound, head.columns())
    unsafe table.pointee.add_rows(
      partial.pointer((queries.lowerBound - first) * size..<(queries.upperBound - first) * size), size,
      queries.count, size, gradient, dqkv.rowStride)
  }
}
