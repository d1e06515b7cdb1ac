import Machine
import Operators
import TestSupport
import Testing

/// Every combination of layouts, of which the linear layer uses three.
///
/// The elements are small integers, so that every partial sum is one too and below 2²⁴: exact, in any order.
@Suite struct GEMMTests {
  struct Layout: CustomTestStringConvertible, Sendable {
    let transposedA, transposedB, accumulate: Bool
    var testDescription: String {
      "A\(transposedA ? "ᵀ" : ""), B\(transposedB ? "ᵀ" : ""), \(accumulate ? "added" : "overwritten")"
    }
    static let all = [false, true].flatMap { a in
      [false, true].flatMap { b in
        [false, true].map { Layout(transposedA: a, transposedB: b, accumulate: $0) }
      }
    }
  }

  /// (M, N, K)
  static let sizes = [(1, 1, 1), (5, 17, 3), (13, 33, 257), (23, 31, 521), (97, 47, 16), (199, 259, 19)]

  private func integers(_ count: Int, _ random: inout TestRandom) -> [Float] {
    (0..<count).map { _ in Float(Int.random(in: -8...8, using: &random)) }
  }

  /// A matrix in the middle of a wider one, whose other elements are NaN; the last element ends the tensor.
  private struct Operand {
    static let margin = 3
    var values: [Float]
    let outer, inner: Int
    let rowStride: Int
    let offset: Int

    init(rows: Int, columns: Int, transposed: Bool, _ element: (Int, Int) -> Float) {
      (outer, inner) = transposed ? (columns, rows) : (rows, columns)
      rowStride = inner + Self.margin
      offset = rowStride + Self.margin
      values = [Float](repeating: .nan, count: offset + (outer - 1) * rowStride + inner)
      for row in 0..<outer {
        for column in 0..<inner {
          values[offset + row * rowStride + column] = transposed ? element(column, row) : element(row, column)
        }
      }
    }

    func matrix(_ tensor: Tensor, transposed: Bool) -> Matrix {
      let matrix = Matrix(tensor, rows: outer, columns: inner, rowStride: rowStride, offset: offset)
      return transposed ? matrix.transposed : matrix
    }
  }

  @Test(arguments: Layout.all) func exactOnIntegers(_ layout: Layout) throws {
    for (rows, columns, depth) in Self.sizes {
      var random = TestRandom(seed: 3)
      let (a, b) = (integers(rows * depth, &random), integers(depth * columns, &random))
      let (bias, before) = (integers(columns, &random), integers(rows * columns, &random))
      let left = Operand(rows: rows, columns: depth, transposed: layout.transposedA) { a[$0 * depth + $1] }
      let right = Operand(rows: depth, columns: columns, transposed: layout.transposedB) {
        b[$0 * columns + $1]
      }
      let product = Operand(rows: rows, columns: columns, transposed: false) { row, column in
        (0..<depth).reduce(bias[column] + (layout.accumulate ? before[row * columns + column] : 0)) {
          $0 + a[row * depth + $1] * b[$1 * columns + column]
        }
      }
      let start = Operand(rows: rows, columns: columns, transposed: false) {
        layout.accumulate ? before[$0 * columns + $1] : .nan
      }
      let results = try everywhere { place in
        let c = try place.input(start.values)
        let work = try GEMM.work(
          left.matrix(place.input(left.values), transposed: layout.transposedA),
          right.matrix(place.input(right.values), transposed: layout.transposedB), bias: place.input(bias),
          accumulate: layout.accumulate, into: product.matrix(c, transposed: false), context: place.context)
        place.context.perform(work)
        return ["c": c.array()]
      }
      for (set, outputs) in results {
        let c = try #require(outputs["c"])
        let wrong = c.indices.first { i in
          c[i] != product.values[i] && !(c[i].isNaN && product.values[i].isNaN)
        }
        #expect(wrong == nil, "M \(rows), N \(columns), K \(depth) on \(set)")
      }
    }
  }
}
