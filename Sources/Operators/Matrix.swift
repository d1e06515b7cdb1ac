import Machine

/// A matrix inside a tensor: element (row, column) lies at offset + row·rowStride + column·columnStride.
///
/// Its creation checks that it fits its tensor, so that operators check only that matrices fit each other. Copies and
/// views refer to the same numbers.
public struct Matrix: Sendable {
  public let tensor: Tensor
  /// Elements of the tensor before the first one.
  public let offset: Int
  public let rows: Int
  public let columns: Int
  /// Elements from one row to the next.
  public let rowStride: Int
  /// Elements from one column to the next: 1 but for what was transposed.
  public let columnStride: Int

  public var elementType: ElementType { tensor.elementType }

  /// Rows one after another.
  ///
  /// - Parameters:
  ///   - rowStride: elements between the beginnings of rows; by default the columns. What lies between rows is padding.
  ///   - offset: elements of the tensor before the first row.
  /// - Precondition: all elements lie within the tensor; rows do not overlap.
  public init(_ tensor: Tensor, rows: Int, columns: Int, rowStride: Int? = nil, offset: Int = 0) {
    let stride = rowStride ?? columns
    precondition(
      rows >= 0 && columns >= 0 && offset >= 0 && stride >= columns,
      "\(rows) rows of \(columns), \(stride) apart, from \(offset) on")
    let (last, overflow) = stride.multipliedReportingOverflow(by: max(0, rows - 1))
    precondition(
      !overflow && offset <= tensor.count
        && (rows == 0 || columns == 0 || last <= tensor.count - offset - columns),
      "\(rows) rows of \(columns), \(stride) apart, from \(offset) on, leave \(tensor.name) of \(tensor.count)"
    )
    self.init(tensor, offset: offset, rows: rows, columns: columns, rowStride: stride, columnStride: 1)
  }

  private init(_ tensor: Tensor, offset: Int, rows: Int, columns: Int, rowStride: Int, columnStride: Int) {
    self.tensor = tensor
    self.offset = offset
    self.rows = rows
    self.columns = columns
    self.rowStride = rowStride
    self.columnStride = columnStride
  }

  /// The same elements with rows and columns exchanged.
  public var transposed: Matrix {
    Matrix(
      tensor, offset: offset, rows: columns, columns: rows, rowStride: columnStride, columnStride: rowStride)
  }

  /// Some of the rows, in place.
  ///
  /// - Precondition: `range` lies within `0..<rows`.
  public subscript(_ range: Range<Int>) -> Matrix {
    precondition(
      range.lowerBound >= 0 && range.upperBound <= rows, "rows \(range) of \(rows) in \(tensor.name)")
    return Matrix(
      tensor, offset: offset + range.lowerBound * rowStride, rows: range.count, columns: columns,
      rowStride: rowStride, columnStride: columnStride)
  }

  /// Some of the columns, in place.
  ///
  /// - Precondition: `range` lies within `0..<columns`.
  public func columns(_ range: Range<Int>) -> Matrix {
    precondition(
      range.lowerBound >= 0 && range.upperBound <= columns, "columns \(range) of \(columns) in \(tensor.name)"
    )
    return Matrix(
      tensor, offset: offset + range.lowerBound * columnStride, rows: rows, columns: range.count,
      rowStride: rowStride, columnStride: columnStride)
  }

  /// Whether rows follow each other without padding.
  public var isDense: Bool { columnStride == 1 && (rows <= 1 || rowStride == columns) }

  /// Whether both have the same sizes, and rows at the same distance.
  func hasLayout(of other: Matrix) -> Bool {
    rows == other.rows && columns == other.columns && columnStride == other.columnStride
      && (rows <= 1 || rowStride == other.rowStride)
  }

  /// All elements as one tensor.
  ///
  /// - Precondition: the matrix is dense.
  package var flat: Tensor {
    precondition(isDense, "matrix in \(tensor.name) has padding")
    return tensor.slice(offset..<offset + rows * columns)
  }
}

extension Tensor {
  /// All elements as the rows of a matrix.
  ///
  /// - Parameter columns: by default the last dimension.
  /// - Precondition: `columns` divides the count.
  public func matrix(columns: Int? = nil) -> Matrix {
    let columns = columns ?? shape.last ?? 1
    precondition(
      columns > 0 ? count % columns == 0 : count == 0, "\(count) elements of \(name) in rows of \(columns)")
    return Matrix(self, rows: columns > 0 ? count / columns : 0, columns: columns)
  }
}
