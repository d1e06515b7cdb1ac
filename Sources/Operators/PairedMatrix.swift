import Machine

/// An operand B (K, N) of products of bfloat16, laid out once for all products that read it: weights.
///
/// Panels of 48 columns follow each other; in each lie the pairs of elements (2i, n) and (2i + 1, n), i ascending, the
/// columns n side by side. Zeros stand where K or N ends. Copies refer to the same numbers.
public struct PairedMatrix: Sendable {
  public let tensor: Tensor
  /// K and N.
  public let rows, columns: Int
  /// In which its products are summed; it lies the same in each.
  public let order: PairedOrder

  /// Elements that a matrix of these sizes takes: K rounded up to 2 times N rounded up to 48.
  public static func count(rows: Int, columns: Int) -> Int {
    stride(rows) * ((columns + Kernels.pairPanel - 1) / Kernels.pairPanel)
  }

  /// - Parameter tensor: bfloat16, as many elements as `count` says; `OperandLayout.layOut` fills it.
  public init(_ tensor: Tensor, rows: Int, columns: Int, order: PairedOrder = .pairs) {
    precondition(
      tensor.elementType == .bfloat16 && tensor.count == Self.count(rows: rows, columns: columns),
      "\(tensor.count) elements of \(tensor.elementType) in \(tensor.name) for \(rows) × \(columns) in pairs")
    self.tensor = tensor
    self.rows = rows
    self.columns = columns
    self.order = order
  }

  /// Elements of a panel.
  private static func stride(_ rows: Int) -> Int { (rows + 1) / 2 * 2 * Kernels.pairPanel }

  var panelStride: Int { Self.stride(rows) }
  var panels: Int { tensor.count / max(1, panelStride) }
}

/// The operand B (K, N) of a product of bfloat16, and in which order the product is summed.
public enum PairedOperand: Sendable {
  /// Rows that are contiguous; tasks pair them on their way, which products of many rows hardly notice.
  case rows(Matrix, PairedOrder)
  /// Laid out before.
  case panels(PairedMatrix)
  /// Float32, contiguous along rows or columns: tasks lay it out on their way, each for its own rows of A.
  case numbers(Matrix, PairedOrder)

  /// K and N.
  var size: (rows: Int, columns: Int) {
    switch self {
    case .rows(let matrix, _), .numbers(let matrix, _): (matrix.rows, matrix.columns)
    case .panels(let matrix): (matrix.rows, matrix.columns)
    }
  }

  var name: String {
    switch self {
    case .rows(let matrix, _), .numbers(let matrix, _): matrix.tensor.name
    case .panels(let matrix): matrix.tensor.name
    }
  }

  var isLaidOut: Bool {
    if case .panels = self { true } else { false }
  }

  /// Of the product's sums: it decides their bits.
  public var order: PairedOrder {
    switch self {
    case .rows(_, let order), .numbers(_, let order): order
    case .panels(let matrix): matrix.order
    }
  }
}
