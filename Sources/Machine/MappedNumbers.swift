extension MappedFile {
  /// Copies `count` numbers, stored in this precision, into the first elements of `tensor`, exactly.
  ///
  /// - Parameter byteOffset: at any alignment.
  /// - Precondition: the numbers lie within the file and fit the tensor.
  public func copy(_ precision: Precision, at byteOffset: Int, count: Int, into tensor: Tensor) {
    precondition(
      count <= tensor.count, "\(count) numbers do not fit tensor \(tensor.name) of \(tensor.count)")
    let source = unsafe mapping.bytes(at: byteOffset, count: count, stride: precision.byteCount)
    let destination = unsafe tensor.pointer
    switch precision {
    case .float32:
      // The host is little-endian: CLinux.h refuses to compile elsewhere.
      unsafe UnsafeMutableRawPointer(destination).copyMemory(from: source, byteCount: count * 4)
    case .bfloat16:
      for index in 0..<count {
        let bits = unsafe source.loadUnaligned(fromByteOffset: index * 2, as: UInt16.self)
        unsafe destination[index] = Precision.float(bfloat16Bits: bits)
      }
    case .float16:
      for index in 0..<count {
        let bits = unsafe source.loadUnaligned(fromByteOffset: index * 2, as: UInt16.self)
        unsafe destination[index] = Precision.float(float16Bits: bits)
      }
    }
    mapping.forget(at: byteOffset, byteCount: count * precision.byteCount)
  }

  /// Copies the matrix (rows, columns) at `byteOffset` into `tensor` as (columns, rows), exactly.
  ///
  /// - Precondition: the numbers lie within the file, and the tensor has as many.
  public func copyTransposed(
    _ precision: Precision, at byteOffset: Int, rows: Int, columns: Int, into tensor: Tensor
  ) {
    precondition(
      rows * columns == tensor.count, "\(rows) × \(columns) for tensor \(tensor.name) of \(tensor.count)")
    let source = unsafe mapping.bytes(at: byteOffset, count: tensor.count, stride: precision.byteCount)
    let destination = unsafe tensor.pointer
    switch precision {
    case .float32:
      transpose(rows: rows, columns: columns) { from, to in
        let bits = unsafe source.loadUnaligned(fromByteOffset: from * 4, as: UInt32.self)
        unsafe destination[to] = Float(bitPattern: bits)
      }
    case .bfloat16:
      transpose(rows: rows, columns: columns) { from, to in
        let bits = unsafe source.loadUnaligned(fromByteOffset: from * 2, as: UInt16.self)
        unsafe destination[to] = Precision.float(bfloat16Bits: bits)
      }
    case .float16:
      transpose(rows: rows, columns: columns) { from, to in
        let bits = unsafe source.loadUnaligned(fromByteOffset: from * 2, as: UInt16.self)
        unsafe destination[to] = Precision.float(float16Bits: bits)
      }
    }
    mapping.forget(at: byteOffset, byteCount: tensor.count * precision.byteCount)
  }

  /// Whether the bytes in `range` are those in `otherRange` of the other file.
  ///
  /// - Precondition: the ranges lie within their files.
  public func hasSameBytes(in range: Range<Int>, as other: MappedFile, in otherRange: Range<Int>) -> Bool {
    let first = unsafe UnsafeRawBufferPointer(
      start: mapping.bytes(at: range.lowerBound, count: range.count, stride: 1), count: range.count)
    let second = unsafe UnsafeRawBufferPointer(
      start: other.mapping.bytes(at: otherRange.lowerBound, count: otherRange.count, stride: 1),
      count: otherRange.count)
    return unsafe first.elementsEqual(second)
  }
}

extension Tensor {
  /// Overwrites all elements with the matrix (rows, columns) in `other`, as (columns, rows).
  ///
  /// - Precondition: both tensors have rows · columns elements and do not overlap.
  public func copyTransposed(from other: Tensor, rows: Int, columns: Int) {
    precondition(
      rows * columns == count && other.count == count,
      "\(rows) × \(columns) from \(other.name) of \(other.count) to \(name) of \(count)")
    let (source, destination) = unsafe (other.pointer, pointer)
    transpose(rows: rows, columns: columns) { from, to in unsafe destination[to] = source[from] }
  }
}

/// Calls `move` with each place in a matrix (rows, columns) and its place in the transposed one.
///
/// In squares of 32: both sides of one are at most 32 cache lines of 128 bytes, which L1 holds.
@inline(__always)
private func transpose(rows: Int, columns: Int, _ move: (_ from: Int, _ to: Int) -> Void) {
  let side = 32
  for firstColumn in stride(from: 0, to: columns, by: side) {
    for firstRow in stride(from: 0, to: rows, by: side) {
      for column in firstColumn..<min(columns, firstColumn + side) {
        for row in firstRow..<min(rows, firstRow + side) {
          move(row * columns + column, column * rows + row)
        }
      }
    }
  }
}
