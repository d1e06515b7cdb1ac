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
  ///   - threads: how many share the tasks, by default all of the context's.
  /// - Precondition: K > 0; the matrices fit each other, and the epilogue's has the layout of C.
  /// - Accuracy: |error| ≤ (384 + K/384 + 2)·ε·Σ|a·b| + ε·|c|, ε = 2⁻²⁴.
  /// - Complexity: 2·M·N·K FLOP.
  package static func work(
    _ a: Matrix, _ b: Matrix, bias: Tensor? = nil, accumulate: Bool = false, into c: Matrix,
    epilogue: Epilogue? = nil, threads: Int? = nil, context: ExecutionContext
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
    let grid = GEMMGrid(
      rows: c.rows, columns: c.columns, aInPlace: a.columnStride == 1, threads: threads ?? context.threads,
      tile: (kernels.tileRows, kernels.tileColumns),
      order: GEMMGrid.Order(rows: c.rows, columns: c.columns, context: context))
    return Work(count: grid.count, operations: grid.elementsOfBlock * a.columns) { task, worker in
      let block = grid.block(task)
      kernels.gemm(
        a, b, bias: bias, rows: block.rows, columns: block.columns, accumulate: accumulate, into: c,
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
package struct GEMMGrid {
  private let rows, columns: Int
  /// Of a block.
  private let height, width: Int
  /// Blocks.
  private let down, across: Int
  private let cost: Int
  private let order: Order

  /// How tasks follow each other, and so which part of C has its home in which domain of threads.
  package enum Order {
    /// Down the rows: a domain has a share of the columns.
    case down
    /// Across the columns: a domain has a share of the rows.
    case across

    /// Every domain reads all of one operand and its share of the other: all of the one that is less. In one domain all
    /// is everybody's.
    init(rows: Int, columns: Int, context: ExecutionContext) {
      self = context.parallel.slots.domains.count == 1 || rows < columns ? .down : .across
    }
  }

  /// - Parameters:
  ///   - tile: the kernel's.
  ///   - unit: columns that a block is a multiple of.
  ///   - packs: whether tasks pack anything; if not, a block may be one tile.
  package init(
    rows: Int, columns: Int, aInPlace: Bool, threads: Int, tile: (rows: Int, columns: Int),
    unit: Int = Kernels.lanes, packs: Bool = true, order: Order = .down
  ) {
    let tasks = threads == 1 ? 1 : ExecutionContext.tasksPerThread * threads
    func grid(down: Int) -> GEMMGrid {
      GEMMGrid(
        rows: rows, columns: columns, aInPlace: aInPlace, down: down, tasks: tasks, threads: threads,
        tile: tile, unit: unit, leastAcross: packs ? Self.leastTiles.across : 1, order: order)
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

  private init(
    rows: Int, columns: Int, aInPlace: Bool, down: Int, tasks: Int, threads: Int,
    tile: (rows: Int, columns: Int), unit: Int, leastAcross: Int, order: Order
  ) {
    self.order = order
    func split(_ total: Int, _ parts: Int, least: Int, unit: Int) -> Int {
      max(least, ((total + parts - 1) / parts).rounded(upTo: unit))
    }
    (self.rows, self.columns) = (rows, columns)
    height = split(rows, down, least: Self.leastTiles.down * tile.rows, unit: tile.rows)
    self.down = (rows + height - 1) / height
    width = split(
      columns, (tasks + self.down - 1) / self.down, least: leastAcross * tile.columns, unit: unit)
    across = (columns + width - 1) / width
    let atOnce = aInPlace && height >= Kernels.gemmManyRows ? Kernels.gemmColumns : width
    let sweeps = across * ((width + atOnce - 1) / atOnce)
    // Too few tasks keep too few threads busy: more than all that is read counts a thread that has none.
    let count = self.down * across
    let idle = max(0, threads - count) + (count < tasks ? 1 : 0)
    cost = self.down * columns + sweeps * rows + idle * rows * columns
  }

  /// A block is at least so many tiles where operands are packed: smaller ones spend their time on that.
  package static let leastTiles = (down: 4, across: 2)

  /// Blocks, one a task.
  package var count: Int { across * down }

  /// Of C, those of a task at the most.
  var elementsOfBlock: Int { height * width }

  /// The part of C that a task computes.
  package func block(_ task: Int) -> (rows: Range<Int>, columns: Range<Int>) {
    let place =
      switch order {
      case .down: (row: task % down, column: task / down)
      case .across: (row: task / across, column: task % across)
      }
    let (row, column) = (place.row * height, place.column * width)
    return (row..<min(rows, row + height), column..<min(columns, column + width))
  }
}

extension Int {
  fileprivate func rounded(upTo unit: Int) -> Int { (self + unit - 1) / unit * unit }
}
