import CKernels
import Machine

/// `Attention` has checked that the operands fit the shape and each other.
extension Kernels {
  func pairedAttentionForward(
    _ qkv: Matrix, head: AttentionHead, queries: Range<Int>, sums: Matrix, out: Matrix, logSumExp: Tensor,
    kept: AttentionWeights?, dropout: DropoutMask?, scratch: Tensor
  ) {
    let shape = head.shape
    precondition(queries.upperBound <= shape.sequenceLength && queries.count <= Self.attentionQueries)
    precondition(scratch.count >= workerScratchCount(sequenceLength: shape.sequenceLength))
    var arguments = unsafe ck_bf16_attention_forward()
    unsafe arguments.q = UnsafePointer(qkv.pairedPointer(head.rows, head.columns(part: 0)))
    unsafe arguments.k = UnsafePointer(qkv.pairedPointer(head.rows, head.columns(part: 1)))
    unsafe arguments.v = UnsafePointer(qkv.pairedPointer(head.rows, head.columns(part: 2)))
    unsafe arguments.ld = qkv.rowStride
    unsafe arguments.sums = sums.pointer(head.rows, head.columns())
    unsafe arguments.ld_sums = sums.rowStride
    unsafe arguments.out = out.pairedPointer(head.rows, head.columns())
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
    unsafe bf16Attention.pointee.forward(&arguments, scratch.pointer)
  }

  /// - Parameter partial: as in `attentionBackward`; nil: what these keys add to dq goes to `sums`, and of the queries
  ///   with their positions to `dqkv`, too.
  func pairedAttentionBackward(
    _ dout: Matrix, qkv: Matrix, out: Matrix, logSumExp: Tensor, head: AttentionHead, keys: Range<Int>,
    sums: Matrix, dqkv: Matrix, partial: Tensor?, dropout: DropoutMask?, scratch: Tensor
  ) {
    let shape = head.shape
    precondition(keys.upperBound <= shape.sequenceLength)
    precondition(scratch.count >= workerScratchCount(sequenceLength: shape.sequenceLength))
    var arguments = unsafe ck_bf16_attention_backward()
    unsafe arguments.q = UnsafePointer(qkv.pairedPointer(head.rows, head.columns(part: 0)))
    unsafe arguments.k = UnsafePointer(qkv.pairedPointer(head.rows, head.columns(part: 1)))
    unsafe arguments.v = UnsafePointer(qkv.pairedPointer(head.rows, head.columns(part: 2)))
    unsafe arguments.ld = qkv.rowStride
    unsafe arguments.out = UnsafePointer(out.pairedPointer(head.rows, head.columns()))
    unsafe arguments.dout = UnsafePointer(dout.pairedPointer(head.rows, head.columns()))
    unsafe arguments.ld_out = out.rowStride
    unsafe arguments.log_sum_exp = UnsafePointer(logSumExp.pointer(head.sums))
    unsafe arguments.dk = sums.pointer(head.rows, head.columns(part: 1))
    unsafe arguments.dv = sums.pointer(head.rows, head.columns(part: 2))
    unsafe arguments.ld_sums = sums.rowStride
    unsafe arguments.rounded_dk = dqkv.pairedPointer(head.rows, head.columns(part: 1))
    unsafe arguments.rounded_dv = dqkv.pairedPointer(head.rows, head.columns(part: 2))
    unsafe arguments.ld_rounded = dqkv.rowStride
    if let partial {
      unsafe arguments.dq = partial.pointer(0..<(shape.sequenceLength - keys.lowerBound) * shape.headSize)
      unsafe arguments.ld_dq = shape.headSize
    } else {
      let rows = head.rows.lowerBound + keys.lowerBound..<head.rows.upperBound
      unsafe arguments.dq = sums.pointer(rows, head.columns())
      unsafe arguments.ld_dq = sums.rowStride
      unsafe arguments.rounded_dq = dqkv.pairedPointer(rows, head.columns())
    }
    unsafe arguments.first = keys.lowerBound
    unsafe arguments.count = keys.count
    unsafe arguments.head_size = shape.headSize
    unsafe arguments.t = shape.sequenceLength
    if let dropout { unsafe arguments.dropout = dropout.argument(of: head) }
    unsafe bf16Attention.pointee.backward(&arguments, scratch.pointer)
  }
}
