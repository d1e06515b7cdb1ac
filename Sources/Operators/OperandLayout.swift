import Machine

/// Makes operands of products of bfloat16 from float32, with one rounding each.
///
/// To nearest, ties to even. What is smaller than any normal number becomes a zero of its sign, as the products take it
/// for one; too large becomes infinite; a NaN keeps its sign and the upper bits of its fraction and becomes quiet. (The
/// conversions of files, `Conversion`, keep the small ones.) The same bits on every instruction set.
public enum OperandLayout {
  /// y = x, rounded.
  ///
  /// - Parameters:
  ///   - x: (R, C), float32, rows contiguous.
  ///   - y: (R, C), bfloat16, rows contiguous, overwritten.
  /// - Complexity: bound by memory: 6 bytes an element.
  public static func round(_ x: Matrix, y: Matrix, context: ExecutionContext) {
    precondition(
      x.rows == y.rows && x.columns == y.columns && x.columnStride == 1 && y.columnStride == 1,
      "\(x.rows) × \(x.columns) of \(x.tensor.name), \(y.rows) × \(y.columns) of \(y.tensor.name)")
    if x.columns == 0 { return }
    let least = max(1, 16384 / x.columns)
    context.perform(
      .blocks(of: context.blockSize(x.rows, least: least), in: x.rows) { rows, _ in
        context.kernels.round(x, rows: rows, y: y)
      })
  }

  /// y = x in panels, rounded.
  ///
  /// - Parameters:
  ///   - x: (K, N), float32, contiguous along its rows or its columns: a weight for the passes back, or transposed for
  ///     the forward pass.
  ///   - y: (K, N), overwritten.
  /// - Complexity: bound by memory: 6 bytes an element.
  public static func layOut(_ x: Matrix, y: PairedMatrix, context: ExecutionContext) {
    precondition(
      x.rows == y.rows && x.columns == y.columns && (x.rowStride == 1 || x.columnStride == 1),
      "\(x.rows) × \(x.columns) of \(x.tensor.name), \(y.rows) × \(y.columns) of \(y.tensor.name)")
    if x.columnStride == 1 {
      context.perform(work(x, forward: nil, backward: y, context: context))
    } else {
      context.perform(work(x.transposed, forward: y, backward: nil, context: context))
    }
  }

  /// Rows of a weight that one task lays out for both passes: a panel of the forward pass's.
  public static let rowsOfTask = Kernels.pairPanel

  /// `layOut` of a weight for the forward pass and for the one back, each number read and rounded once.
  ///
  /// - Parameters:
  ///   - weight: (N, K), float32, rows contiguous.
  ///   - forward: weightᵀ (K, N), overwritten, or nil. backward: (N, K), overwritten, or nil.
  ///   - before: called with the rows that a task is about to read, to change them: they are in cache then.
  /// - Complexity: bound by memory: 8 bytes an element.
  package static func work(
    _ weight: Matrix, forward: PairedMatrix?, backward: PairedMatrix?, context: ExecutionContext,
    before: @escaping (_ rows: Range<Int>, _ worker: Int) -> Void = { _, _ in }
  ) -> Work {
    let sizes = [backward.map { ($0.rows, $0.columns) }, forward.map { ($0.columns, $0.rows) }]
    precondition(
      weight.columnStride == 1
        && sizes.allSatisfy { $0.map { $0 == (weight.rows, weight.columns) } ?? true },
      "\(weight.rows) × \(weight.columns) of \(weight.tensor.name) in panels of \(sizes)")
    let kernels = context.kernels
    return .blocks(of: rowsOfTask, in: weight.columns == 0 ? 0 : weight.rows) { rows, worker in
      before(rows, worker)
      kernels.layOut(weight, rows: rows, transposed: forward, panels: backward)
    }
  }
}
