import CKernels
import Machine

/// `KeyValueCache` has checked that the operands fit it.
extension Kernels {
  /// Sets positions of one head's cache from rows of keys and values.
  func cache(
    _ key: Matrix, _ value: Matrix, positions: Range<Int>, keys: Tensor, values: Tensor
  ) {
    let headSize = check(key, value, positions, in: keys, values)
    let (rows, columns) = (0..<key.rows, 0..<headSize)
    switch keys.elementType {
    case .bfloat16:
      unsafe bf16Attention.pointee.cache(
        key.pairedPointer(rows, columns), value.pairedPointer(rows, columns), key.rowStride,
        positions.lowerBound, positions.count, headSize, keys.pairedPointer, values.pairedPointer)
    default:
      unsafe table.pointee.attention_cache(
        key.pointer(rows, columns), value.pointer(rows, columns), key.rowStride, positions.lowerBound,
        positions.count, headSize, keys.pointer, values.pointer)
    }
  }

  /// One query (1, hs) of one head over the first `count` positions of its cache.
  func decode(_ query: Matrix, keys: Tensor, values: Tensor, count: Int, out: Matrix, scratch: Tensor) {
    let headSize = check(query, out, 0..<count, in: keys, values, scratch)
    var arguments = unsafe ck_attention_decode()
    unsafe arguments.q = UnsafePointer(query.pointer(0..<1, 0..<headSize))
    unsafe arguments.keys = UnsafePointer(keys.pointer)
    unsafe arguments.values = UnsafePointer(values.pointer)
    unsafe arguments.count = count
    unsafe arguments.head_size = headSize
    unsafe arguments.out = out.pointer(0..<1, 0..<headSize)
    unsafe table.pointee.attention_decode(&arguments, scratch.pointer)
  }

  /// The same over bfloat16; out is added up in `sums` (1, hs), float32.
  func pairedDecode(
    _ query: Matrix, keys: Tensor, values: Tensor, count: Int, sums: Matrix, out: Matrix, scratch: Tensor
  ) {
    let headSize = check(query, out, 0..<count, in: keys, values, scratch)
    var arguments = unsafe ck_bf16_attention_decode()
    unsafe arguments.q = UnsafePointer(query.pairedPointer(0..<1, 0..<headSize))
    unsafe arguments.keys = UnsafePointer(keys.pairedPointer)
    unsafe arguments.values = UnsafePointer(values.pairedPointer)
    unsafe arguments.count = count
    unsafe arguments.head_size = headSize
    unsafe arguments.sums = sums.pointer(0..<1, 0..<headSize)
    unsafe arguments.out = out.pairedPointer(0..<1, 0..<headSize)
    unsafe bf16Attention.pointee.decode(&arguments, scratch.pointer)
  }

  /// Returns the head's size.
  private func check(
    _ key: Matrix, _ value: Matrix, _ positions: Range<Int>, in keys: Tensor, _ values: Tensor
  ) -> Int {
    precondition(value.columns == key.columns && key.rows == value.rows && !positions.isEmpty)
    precondition(key.rows == positions.count && key.rowStride == value.rowStride)
    check(positions, headSize: key.columns, in: keys, values)
    return key.columns
  }

  private func check(
    _ query: Matrix, _ out: Matrix, _ positions: Range<Int>, in keys: Tensor, _ values: Tensor,
    _ scratch: Tensor
  ) -> Int {
    precondition(query.rows == 1 && out.rows == 1 && out.columns == query.columns && !positions.isEmpty)
    precondition(scratch.count >= Self.attentionBlock)
    check(positions, headSize: query.columns, in: keys, values)
    return query.columns
  }

  private func check(_ positions: Range<Int>, headSize: Int, in keys: Tensor, _ values: Tensor) {
    let size = KeyValueCache.count(
      sequences: 1, heads: 1, headSize: headSize, capacity: positions.upperBound, keys.elementType)
    precondition(
      positions.lowerBound >= 0 && size.keys <= keys.count && size.values <= values.count
        && keys.elementType == values.elementType, "\(positions) in \(keys.count) of \(keys.name)")
  }
}
