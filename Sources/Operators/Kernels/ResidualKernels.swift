import Machine

extension Kernels {
  func zero(_ tensor: Tensor, range: Range<Int>) {
    unsafe tensor.pointer(range).update(repeating: 0, count: range.count)
  }

  func zero(_ matrix: Matrix, row: Int, columns: Range<Int>) {
    unsafe matrix.pointer(row..<row + 1, columns).update(repeating: 0, count: columns.count)
  }
}
