import CKernels
import Machine

extension Kernels {
  static let pairedChain = CK_BF16_KC
  package static let pairPanel = CK_BF16_PANEL

  /// Rows of C that the products of bfloat16 keep in registers.
  func pairedTileRows(_ order: PairedOrder) -> Int { unsafe Int(paired(order).pointee.mr) }

  /// Who multiplies bfloat16: a matrix unit, or the instruction set.
  package func pairedName(_ order: PairedOrder = .pairs) -> String {
    unsafe String(cString: paired(order).pointee.name)
  }

  /// C[rows, columns] (+)= A·B + bias in bfloat16, then the epilogue; A is (M, K), B is (K, N).
  ///
  /// The `GEMM.work` of paired operands has checked that the matrices fit each other and are contiguous one way, and cut
  /// columns where panels begin.
  func gemm(
    _ a: Matrix, _ b: PairedOperand, bias: Tensor?, rows: Range<Int>, columns: Range<Int>, accumulate: Bool,
    into c: Matrix, output: PairedOutput, scratch: Tensor
  ) {
    let unit = unsafe paired(b.order)
    precondition(unsafe scratch.count >= unit.pointee.scratch)
    var arguments = unsafe ck_bf16_gemm()
    unsafe arguments.a = UnsafePointer(a.pairedPointer(rows, 0..<a.columns))
    unsafe arguments.a_row = a.rowStride
    unsafe arguments.a_k = a.columnStride
    switch b {
    case .rows(let matrix, _):
      unsafe arguments.b = UnsafePointer(matrix.pairedPointer(0..<a.columns, columns))
      // One row is no stride, and 0 means panels.
      unsafe arguments.b_k = max(1, matrix.rowStride)
    case .numbers(let matrix, _):
      unsafe arguments.numbers = UnsafePointer(matrix.pointer(0..<a.columns, columns))
      unsafe arguments.numbers_k = matrix.rowStride
      unsafe arguments.numbers_n = matrix.columnStride
    case .panels(let matrix):
      precondition(columns.lowerBound % Self.pairPanel == 0)
      let first = columns.lowerBound / Self.pairPanel
      let last = (columns.upperBound + Self.pairPanel - 1) / Self.pairPanel
      unsafe arguments.b = UnsafePointer(matrix.pointer(first..<last))
      unsafe arguments.b_panel = matrix.panelStride
    }
    unsafe arguments.c = c.pointer(rows, columns)
    unsafe arguments.ldc = c.rowStride
    unsafe arguments.m = rows.count
    unsafe arguments.n = columns.count
    unsafe arguments.k = a.columns
    if let bias { unsafe arguments.bias = UnsafePointer(bias.pointer(columns)) }
    unsafe arguments.accumulate = accumulate ? 1 : 0
    unsafe setOutput(output, rows, columns, &arguments)
    unsafe unit.pointee.gemm(&arguments, scratch.pointer)
  }

  private func setOutput(
    _ output: PairedOutput, _ rows: Range<Int>, _ columns: Range<Int>, _ arguments: inout ck_bf16_gemm
  ) {
    switch output.epilogue {
    case nil: break
    case .add(let matrix):
      unsafe arguments.epilogue = CK_ADD
      unsafe arguments.operand = UnsafePointer(matrix.pointer(rows, columns))
    case .activation(let activation, _):
      unsafe arguments.epilogue = activationKernels(activation).epilogue
    case .slope(let activation, _): unsafe arguments.epilogue = activationKernels(activation).slope
    }
    if let operand = output.operand {
      unsafe arguments.rounded = operand.pairedPointer(rows, columns)
      unsafe arguments.ld_rounded = operand.rowStride
    }
    if let half = output.half {
      unsafe arguments.half = half.pairedPointer(rows, columns, of: .float16)
      unsafe arguments.ld_half = half.rowStride
    }
  }

  /// y = x in `rows`, rounded.
  func round(_ x: Matrix, rows: Range<Int>, y: Matrix) {
    let (source, destination) = unsafe (x.pointer(rows), y.pairedPointer(rows, 0..<y.columns))
    for row in 0..<rows.count {
      unsafe bf16.pointee.round(source + row * x.rowStride, x.columns, destination + row * y.rowStride)
    }
  }

  /// Rows of a weight (N, K), rounded: all of a panel's columns in `transposed` (K, N), and rows of `panels` (N, K).
  func layOut(_ weight: Matrix, rows: Range<Int>, transposed: PairedMatrix?, panels: PairedMatrix?) {
    let panel = rows.lowerBound / Self.pairPanel
    precondition(
      rows.lowerBound % Self.pairPanel == 0 && rows.count <= Self.pairPanel
        && (rows.count == Self.pairPanel || rows.upperBound == weight.rows))
    for first in stride(from: 0, to: Self.pairPanel, by: Self.lanes) {
      let group = rows.dropFirst(first).prefix(Self.lanes)
      let columns = unsafe transposed.map { unsafe $0.pointer(panel..<panel + 1) + 2 * first }
      // Beyond the last row there are zeros in the panel that it is a column of, and nothing elsewhere.
      let pairs = unsafe (group.isEmpty ? nil : panels).map {
        unsafe $0.pointer(0..<$0.panels) + group.lowerBound * Self.pairPanel
      }
      unsafe bf16.pointee.lay_out(
        weight.pointer(group.isEmpty ? rows : group), weight.rowStride, group.count, weight.columns, columns,
        pairs, panels?.panelStride ?? 0)
    }
  }

  /// out[columns] (+)= the sum of the rows of x, bfloat16, there.
  func columnSum(paired x: Matrix, columns: Range<Int>, accumulate: Bool, out: Tensor) {
    unsafe table.pointee.bf16_column_sum(
      x.pairedPointer(0..<x.rows, columns), x.rows, columns.count, x.rowStride, accumulate ? 1 : 0,
      out.pointer(columns))
  }

  /// sums[i] + the products of the pairs of bfloat16 x[i] and y[i], the even element in the lower half: one link of a
  /// product's chain, in the order of tiles one whose other products are zero.
  package func dot(
    _ x: [UInt32], _ y: [UInt32], adding sums: [Float], order: PairedOrder = .pairs
  ) -> [Float] {
    precondition(x.count == sums.count && y.count == sums.count)
    var results = sums
    unsafe x.withUnsafeBytes { x in
      unsafe y.withUnsafeBytes { y in
        unsafe results.withUnsafeMutableBufferPointer { results in
          guard let first = results.baseAddress else { return }
          unsafe paired(order).pointee.dot(
            x.assumingMemoryBound(to: UInt16.self).baseAddress,
            y.assumingMemoryBound(to: UInt16.self).baseAddress, results.count, first)
        }
      }
    }
    return results
  }

  /// Runs `iterations` rounds of independent dot products and returns the floating-point operations done.
  func pairedPeak(_ order: PairedOrder, iterations: Int) -> Double {
    unsafe paired(order).pointee.peak(iterations)
  }
}

extension Matrix {
  /// The address of element (rows.lowerBound, columns.lowerBound) of a part that must lie inside, and be one.
  func pairedPointer(
    _ rows: Range<Int>, _ columns: Range<Int>, of type: ElementType = .bfloat16
  ) -> UnsafeMutablePointer<UInt16> {
    precondition(
      rows.lowerBound >= 0 && rows.upperBound <= self.rows && columns.lowerBound >= 0
        && columns.upperBound <= self.columns && !rows.isEmpty && !columns.isEmpty,
      "rows \(rows) and columns \(columns) of \(self.rows) × \(self.columns) in \(tensor.name)")
    let first = offset + rows.lowerBound * rowStride + columns.lowerBound * columnStride
    return unsafe tensor.pairedPointer(of: type) + first
  }
}

extension PairedMatrix {
  /// The address of panels that must lie inside.
  fileprivate func pointer(_ panels: Range<Int>) -> UnsafeMutablePointer<UInt16> {
    precondition(
      panels.lowerBound >= 0 && panels.upperBound <= self.panels, "panels \(panels) of \(self.panels)")
    return unsafe tensor.pairedPointer(of: .bfloat16) + panels.lowerBound * panelStride
  }
}

extension Tensor {
  var pairedPointer: UnsafeMutablePointer<UInt16> { unsafe pairedPointer(of: .bfloat16) }

  fileprivate func pairedPointer(of type: ElementType) -> UnsafeMutablePointer<UInt16> {
    precondition(elementType == type, "tensor \(name) holds \(elementType), not \(type)")
    return unsafe rawPointer.assumingMemoryBound(to: UInt16.self)
  }
}
