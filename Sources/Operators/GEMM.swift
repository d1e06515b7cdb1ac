import Machine

/// General matrix products, split over threads in blocks of the output.
///
/// Every element of C is one chain of fused multiply-adds for each 256 products, the chains added in ascending order,
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
  /// - Accuracy: |error| ≤ (256 + K/256 + 2)·ε·Σ|a·b| + ε·|c|, ε = 2⁻²⁴.
  /// - Complexity: 2·M·N·K FLOP.
  package static func work(
    _ a: Matrix, _ b: Matrix, bias: Tensor? = nil, rows: Int, columns: Int, depth: Int,
    accumulate: Bool = false,
    into c: Matrix, context: ExecutionContext
  ) -> Work {
    let kernels = context.kernels
    let grid = GEMMGrid(a, b, rows: rows, columns: columns, depth: depth, context: context)
    return Work(count: grid.across * grid.down) { task, worker in
      let (column, row) = (task / grid.down * grid.width, task % grid.down * grid.height)
      kernels.gemm(
        a, b, bias: bias, rows: row..<min(rows, row + grid.height),
        columns: column..<min(columns, column + grid.width), depth: depth, accumulate: accumulate, into: c,
        scratch: context.scratch(worker))
    }
  }
}

/// How the output is split into blocks, one a task: the split that lays out the fewest operands.
///
/// Every block of rows packs its B, every block of columns its A (`CKernels/templates/gemm_pack.h`).
private struct GEMMGrid {
  let height, width, down, across: Int
  private let cost: Double

  init(_ a: Matrix, _ b: Matrix, rows: Int, columns: Int, depth: Int, context: ExecutionContext) {
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
      columns, (tasks + self.down - 1) / self.down, least: 2 * kernels.tileColumns, unit: kernels.tileColumns)
    across = (columns + width - 1) / width
    // A is laid out for every block of columns that a task has.
    let blocks = across * ((width + Kernels.gemmBlockColumns - 1) / Kernels.gemmBlockColumns)
    cost =
      Double(self.down * columns) * Self.columnCost(b, height: height) + Double(blocks * rows)
      * Self.rowCost(a)
      // Too few tasks keep too few threads busy.
      + (self.down * across < tasks ? Double(rows * columns) : 0)
  }

  // Cycles an element and step of k, measured on a Zen 4 with data in L2. An operand that is read in place costs what
  // its lines take on their way from L3.
  private static let inPlace = 0.03

  private static func columnCost(_ b: Matrix, height: Int) -> Double {
    if b.columnStride != 1 { return 0.3 }
    if Kernels.rowsShareSets(b.rowStride) { return 0.7 }
    return height < Kernels.gemmPackedRows ? inPlace : 0.3
  }

  private static func rowCost(_ a: Matrix) -> Double {
    if a.columnStride != 1 { return 0.26 }
    return Kernels.rowsShareSets(a.rowStride) ? 0.15 : inPlace
  }
}

extension Int {
  fileprivate func rounded(upTo unit: Int) -> Int { (self + unit - 1) / unit * unit }
}
