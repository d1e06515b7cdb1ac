import Machine

/// General matrix products, split over threads in blocks of the output.
///
/// Every element of C is one chain of fused multiply-adds for each 256 products, the chains added in ascending order,
/// so the split changes no bit of the result.
package enum GEMM {
  /// C(M,N) (+)= A(M,K)·B(K,N) + bias as independent tasks.
  ///
  /// - Parameters:
  ///   - a, b: each contiguous along its rows or its columns.
  ///   - bias: (N), added to every row, or nil.
  ///   - accumulate: whether C is added to; if not, C is never read.
  ///   - c: rows contiguous.
  /// - Accuracy: |error| ≤ (256 + K/256 + 2)·ε·Σ|a·b| + ε·|c|, ε = 2⁻²⁴.
  /// - Complexity: 2·M·N·K FLOP. Every block of rows packs B anew, so columns are split first.
  package static func work(
    _ a: Matrix, _ b: Matrix, bias: Tensor? = nil, rows: Int, columns: Int, depth: Int,
    accumulate: Bool = false,
    into c: Matrix, context: ExecutionContext
  ) -> Work {
    let kernels = context.kernels
    let width = context.blockSize(columns, least: 2 * kernels.tileColumns, multipleOf: kernels.tileColumns)
    let across = (columns + width - 1) / width
    let wanted =
      context.threads == 1 ? 1 : (ExecutionContext.tasksPerThread * context.threads + across - 1) / across
    let height = max(4 * kernels.tileRows, ((rows + wanted - 1) / wanted).rounded(upTo: kernels.tileRows))
    let down = (rows + height - 1) / height
    return Work(count: across * down) { task, worker in
      let (column, row) = (task / down * width, task % down * height)
      kernels.gemm(
        a, b, bias: bias, rows: row..<min(rows, row + height), columns: column..<min(columns, column + width),
        depth: depth, accumulate: accumulate, into: c, scratch: context.scratch(worker))
    }
  }
}

extension Int {
  fileprivate func rounded(upTo unit: Int) -> Int { (self + unit - 1) / unit * unit }
}
