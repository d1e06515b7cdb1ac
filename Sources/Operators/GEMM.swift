import Machine

/// General matrix products, split over threads in blocks of the output.
///
/// Every element of C is one chain of fused multiply-adds for each 384 products, the chains added in ascending order,
/// so the split changes no bit of the result.
package enum GEMM {
  /// Products that are summed in one chain before they are added to C.
  package static let chainLength = Kernels.gemmChain

  /// C (+)= A·B + bias as independent tasks.
  ///
  /// - Parameters:
  ///   - a, b: (M, K) and (K, N), each contiguous along its rows or its columns.
  ///   - bias: (N), added to every row, or nil.
  ///   - accumulate: whether C is added to; if not, C is never read.
  ///   - c: (M, N), contiguous along its rows.
  ///   - epilogue: what follows.
  /// - Precondition: K > 0; the matrices fit each other, and the epilogue's has the layout of C.
  /// - Accuracy: |error| ≤ (384 + K/384 + 2)·ε·Σ|a·b| + ε·|c|, ε = 2⁻²⁴.
  /// - Complexity: 2·M·N·K FLOP.
  package static func work(
    _ a: Matrix, _ b: Matrix, bias: Tensor? = nil, accumulate: Bool = false, into c: Matrix,
    epilogue: Epilogue? = nil, context: ExecutionContext
  ) -> Work {
    precondition(
      a.columns == b.rows && a.rows == c.rows && b.columns == c.columns && a.columns > 0,
      "(\(a.rows), \(a.columns)) · (\(b.rows), \(b.columns)) into (\(c.rows), \(c.columns))")
    precondition(
      a.isContiguous && b.isContiguous && c.columnStride == 1, "operands are contiguous along a dimension")
    if let bias { precondition(bias.count == c.columns, "a bias of \(bias.count) for \(c.columns) columns") }
    if let epilogue {
      precondition(epilogue.matrix.hasLayout(of: c), "an epilogue's matrix is laid out as C")
    }
    let kernels = context.kernels
    let (rows, columns) = (c.rows, c.columns)
    let grid = GEMMGrid(rows: rows, columns: columns, aInPlace: a.columnStride == 1, context: context)
    return Work(count: grid.across * grid.down) { task, worker in
      let (column, row) = (task / grid.down * grid.width, task % grid.down * grid.height)
      kernels.gemm(
        a, b, bias: bias, rows: row..<min(rows, row + grid.height),
        columns: column..<min(columns, column + grid.width), accumulate: accumulate, into: c,
        epilogue: epilogue, scratch: context.scratch(worker))
    }
  }
}

extension Matrix {
  fileprivate var isContiguous: Bool { rowStride == 1 || columnStride == 1 }
}

/// How the output is split into blocks, one a task: the split whose tasks read the least.
///
/// Every block of rows packs its B, every block of columns reads its A, packed or not, from L3. Measured on a Zen 4, an
/// element of either costs about the same. A tall A in place is read again for each block of columns that a kernel packs
/// at once; a short one is then found in L2.
private struct GEMMGrid {
  let height, width, down, across: Int
  private let cost: Int

  init(rows: Int, columns: Int, aInPlace: Bool, context: ExecutionContext) {
    let tasks = context.threads == 1 ? 1 : ExecutionContext.tasksPerThread * context.threads
    func grid(down: Int) -> GEMMGrid {
      GEMMGrid(
        rows: rows, columns: columns, aInPlace: aInPlace, down: down, tasks: tasks, kernels: context.kernels)
    }
    var best = grid(down: 1)
    var down = 2
    while down <= tasks {
      let candidate = grid(down: down)
      if candidate.cost <= best.cost { best = candidate }
      down *= 2
    }
    self = best
  }

  private init(rows: Int, columns: Int, aInPlace: Bool, down: Int, tasks: Int, kernels: Kernels) {
    func split(_ total: Int, _ parts: Int, least: Int, unit: Int) -> Int {
      max(least, ((total + parts - 1) / parts).rounded(upTo: unit))
    }
    height = split(rows, down, least: 4 * kernels.tileRows, unit: kernels.tileRows)
    self.down = (rows + height - 1) / height
    width = split(
      columns, (tasks + self.down - 1) / self.down, least: 2 * kernels.tileColumns, unit: Kernels.lanes)
    across = (columns + width - 1) / width
    let atOnce = aInPlace && height >= Kernels.gemmManyRows ? Kernels.gemmColumns : width
    let sweeps = across * ((width + atOnce - 1) / atOnce)
    // Too few tasks keep too few threads busy.
    cost = self.down * columns + sweeps * rows + (self.down * across < tasks ? rows * columns : 0)
  }
}

extension Int {
  fileprivate func rounded(upTo unit: Int) -> Int { (self + unit - 1) / unit * unit }
}
