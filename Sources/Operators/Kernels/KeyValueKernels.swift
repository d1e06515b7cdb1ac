import CKernels
import Machine

/// `KeyValueCache` has checked that the operands fit it.
extension Kernels {
  /// Sets positions of one head's cache from rows of keys and values.
  func cache(
    _ key: Matrix, _ value: Matrix, positions: Range<Int>, keys: Tensor, values: Tensor
  ) {
    let headSize = key.columns
    precondition(value.columns == headSize && key.rows == positions.count && value.rows == positions.count)
    precondition(key.rowStride == value.rowStride)
    precondition(
      positions.upperBound <= keys.count / headSize && positions.upperBound <= values.count / headSize)
    let (rows, columns) = (0..<key.rows, 0..<headSize)
    unsafe table.pointee.attention_cache(
      key.pointer(rows, columns), value.pointer(rows, columns), key.rowStride, positions.lowerBound,
      positions.count, headSize, keys.pointer, values.pointer)
  }

  /// One query (1, hs) of one head over the first `count` positions of its cache.
  func decode(_ query: Matrix, keys: Tensor, values: Tensor, count: Int, out: Matrix, scratch: Tensor) {
    let headSize = query.columns
    precondition(query.rows == 1 && out.rows == 1 && out.columns == headSize && count > 0)
    precondition(
      (count + Self.attentionBlock - 1) / Self.attentionBlock * Self.attentionBlock <= keys.count / headSize)
    precondition(count <= values.count / headSize && scratch.count >= Self.attentionBlock)
    var arguments = unsafe ck_attention_decode()
    unsafe arguments.q = UnsafePointer(query.pointer(0..<1, 0..<headSize))
    unsafe arguments.keys = UnsafePointer(keys.pointer)
    unsafe arguments.values = UnsafePointer(values.pointer)
    unsafe arguments.count = count
    unsafe arguments.head_size = headSize
    unsafe arguments.out = out.pointer(0..<1, 0..<headSize)
    unsafe table.pointee.attention_decode(&arguments, scratch.pointer)
  }
}
