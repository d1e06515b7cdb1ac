import Machine

/// General matrix products, split over threads in blocks of the output.
///
/// Every element of C is one chain of fused multiply-adds for each 384 products, the chains added in ascending order,
/// so the split changes no bit of the result.
package enum GEMM {
  /// Products that are summed in one chain before they are added to C.
  package static let chainLength = Kernels.gemmChain

  /// C(M,N) (+)= A(M,K)·B(K,N) + bias as independent tasks.
  ///
  /// - Parameters:
  ///   - a, b: each contiguous along its rows or its columns.
  ///   - bias: (N), added to every row, or nil.
  ///   - accumulate: whether C is added to; if not, C is never read.
  ///   - c: rows contiguous.
  ///   - epilogue: what follows; c's offset must be 0.
  /// - Accuracy: |error| ≤ (384 + K/384 + 2)·ε·Σ|a·b| + ε·|c|, ε = 2⁻²⁴.
  /// - Complexity: 2·M·N·K FLOP.
  package static func work(
    _ a: Matrix, _ b: Matrix, bias: Tensor? = nil, rows: Int, columns: Int, depth: Int,
    accumulate: Bool = false,
    into c: Matrix, epilogue: Epilogue? = nil, context: ExecutionContext
  ) -> Work {
    let kernels = context.kernels
    let grid = GEMMGrid(a, b, rows: rows, columns: columns, context: context)
    return Work(count: grid.across * grid.down) { task, worker in
      let (column, row) = (task / grid.down * grid.width, task % grid.down * grid.height)
      kernels.gemm(
        a, b, bias: bias, rows: row..<min(rows, row + grid.height),
        columns: column..<min(columns, column + grid.width), depth: depth, accumulate: accumulate, into: c,
        epilogue: epilogue, scratch: context.scratch(worker))
    }
  }
}

/// How the output is split into blocks, one a task: the split that packs the least.
///
/// Every block of rows packs its B, every block of columns its A where that is packed
/// (`CKernels/templates/gemm_pack.h`).
private struct GEMMGrid {
  let height, width, down, across: Int
  private let cost: Double

  init(_ a: Matrix, _ b: Matrix, rows: Int, columns: Int, context: ExecutionContext) {
    let tasks = context.threads == 1 ? 1 : ExecutionContext.tasksPerThread * context.threads
    var best = GEMMGrid(a, b, rows: rows, columns: columns, down: 1, tasks: tasks, kernels: context.kernels)
    var down = 2
    while down <= tasks {
      let grid = GEMMGrid(
        a, b, rows: rows, columns: columns, down: down, tasks: tasks, kernels: context.kernels)
      if grid.cost < best.cost { best = grid }
      down *= 2
    }
    self = best
  }

  private init(
    _ a: Matrix, _ b: Matrix, rows: Int, columns: Int, down: Int, tasks: Int, kernels: Kernels
  ) {
    func split(_ total: Int, _ parts: Int, least: Int, unit: Int) -> Int {
      max(least, ((total + parts - 1) / parts).rounded(upTo: unit))
    }
    height = split(rows, down, least: 4 * kernels.tileRows, unit: kernels.tileRows)
    self.down = (rows + height - 1) / height
    width = split(
      columns, (tasks + self.down - 1) / self.down, least: 2 * kernels.tileColumns, unit: Kernels.lanes)
    across = (columns + width - 1) / width
    let blocks = across * ((width + Kernels.gemmBlockColumns - 1) / Kernels.gemmBlockColumns)
    cost =
      Double(self.down * columns) * Self.columnCost(b) + Double(blocks * rows) * Self.rowCost(a)
      // Too few tasks keep too few threads busy.
      + (self.down * across < tasks ? Double(rows * columns) : 0)
  }

  // Cycles an element, measured on a Zen 4: packing, or what an operand in place takes on its way from L3.

  private static func columnCost(_ b: Matrix) -> Double { b.columnStride == 1 ? 0.2 : 0.4 }

  private static func rowCost(_ a: Matrix) -> Double { a.columnStride == 1 ? 0.03 : 0.15 }
}

extension Int {
  fileprivate func rounded(upTo unit: Int) -> Int { (self + unit - 1) / unit * unit }
}
