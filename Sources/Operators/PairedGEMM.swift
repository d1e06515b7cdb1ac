import Machine

extension GEMM {
  /// Products of bfloat16 that are summed in one chain before they are added to C, in the order of pairs.
  package static let pairedChainLength = Kernels.pairedChain

  /// C (+)= A·B + bias of operands in bfloat16, summed in float32, as independent tasks.
  ///
  /// In the order of pairs every element of C is one chain for each 768 products, the chains added in ascending order. A
  /// link takes two products: acc ← fma(even, even′, fma(odd, odd′, acc)), each rounded, with results smaller than any
  /// normal number taken for zero. So AVX512_BF16's instruction does it, and every other instruction set with the same
  /// bits. In the order of tiles it is one chain of links of 32 products, as AMX's instruction adds them, which begins with
  /// C where that is added to; the bias follows (`PairedOrder`).
  ///
  /// - Parameters:
  ///   - a: (M, K), bfloat16, contiguous along its rows or its columns.
  ///   - b: (K, N), bfloat16, or float32 that is rounded as `OperandLayout` does. It has the order of the sums.
  ///   - bias: (N), added to every row, or nil.
  ///   - accumulate: whether C is added to; if not, C is never read.
  ///   - c: (M, N), float32, contiguous along its rows.
  ///   - epilogue: what follows; an activation's output is bfloat16, a slope's input float16.
  ///   - rounded: (M, N), or nil: C behind the epilogue in bfloat16, rounded as `OperandLayout` does; where an activation
  ///     follows, whose output is that, C in float16, rounded as `Conversion` does.
  /// - Precondition: K > 0; the matrices fit each other, and what is added has the layout of C.
  /// - Accuracy: of the sum, |error| ≤ (768 + K/768 + 2)·ε·Σ|a·b| + ε·|c| + K·2⁻¹²⁶, ε = 2⁻²⁴, in the order of pairs; in
  ///   that of tiles (K/32 + 19)·ε·(Σ|a·b| + |c|) + 2·(K + 1)·2⁻¹²⁶. An operand has been rounded by at most 2⁻⁸ of itself.
  /// - Complexity: 2·M·N·K FLOP.
  package static func work(
    _ a: Matrix, _ b: PairedOperand, bias: Tensor? = nil, accumulate: Bool = false, into c: Matrix,
    epilogue: Epilogue? = nil, rounded: Matrix? = nil, context: ExecutionContext
  ) -> Work {
    precondition(
      a.columns == b.size.rows && a.rows == c.rows && b.size.columns == c.columns && a.columns > 0,
      "(\(a.rows), \(a.columns)) · (\(b.size.rows), \(b.size.columns)) into (\(c.rows), \(c.columns))")
    precondition(
      (a.rowStride == 1 || a.columnStride == 1) && c.columnStride == 1,
      "operands are contiguous along a dimension")
    switch b {
    case .rows(let matrix, _): precondition(matrix.columnStride == 1, "rows of B are contiguous")
    case .numbers(let matrix, _):
      precondition(matrix.columnStride == 1 || matrix.rowStride == 1, "B is contiguous along a dimension")
    case .panels: break
    }
    if let bias { precondition(bias.count == c.columns, "a bias of \(bias.count) for \(c.columns) columns") }
    let output = PairedOutput(epilogue, rounded: rounded, of: c)
    let kernels = context.kernels
    let tile = (rows: kernels.pairedTileRows(b.order), columns: Kernels.pairPanel)
    // Few rows read laid-out weights as they lie: all threads take part, however few columns there are.
    let isStreamed = b.isLaidOut && a.columnStride == 1 && c.rows <= tile.rows
    let grid = GEMMGrid(
      rows: c.rows, columns: c.columns, aInPlace: a.columnStride == 1, threads: context.threads, tile: tile,
      unit: Kernels.pairPanel, packs: !isStreamed,
      order: GEMMGrid.Order(rows: c.rows, columns: c.columns, context: context))
    return Work(count: grid.count, operations: grid.elementsOfBlock * a.columns) { task, worker in
      let block = grid.block(task)
      kernels.gemm(
        a, b, bias: bias, rows: block.rows, columns: block.columns, accumulate: accumulate, into: c,
        output: output, scratch: context.scratch(worker))
    }
  }
}

/// What is made of a complete product of bfloat16.
struct PairedOutput {
  let epilogue: Epilogue?
  /// What becomes an operand: C behind the epilogue, or the activation.
  let operand: Matrix?
  /// C in float16: what an activation leaves, or what a slope is taken at.
  let half: Matrix?

  init(_ epilogue: Epilogue?, rounded: Matrix?, of c: Matrix) {
    self.epilogue = epilogue
    switch epilogue {
    case nil: (operand, half) = (rounded, nil)
    case .add(let matrix):
      precondition(matrix.hasLayout(of: c), "what is added is laid out as C")
      (operand, half) = (rounded, nil)
    case .activation(_, let output): (operand, half) = (output, rounded)
    case .slope(_, let input): (operand, half) = (rounded, input)
    }
    for matrix in [operand, half].compactMap(\.self) {
      precondition(
        matrix.rows == c.rows && matrix.columns == c.columns && matrix.columnStride == 1,
        "(\(matrix.rows), \(matrix.columns)) rounded of (\(c.rows), \(c.columns))")
    }
  }
}
