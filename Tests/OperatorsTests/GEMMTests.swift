import Machine
import Operators
import TestSupport
import Testing

/// Every branch of the kernels: each combination of layouts, of which the linear layer uses three, about each size at
/// which they do something else, with every epilogue.
///
/// The elements are small integers over 8, so that every partial sum is one over 64 and below 2¹⁸: exact, in any order.
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

  /// What follows the product.
  private enum Step: CustomStringConvertible {
    case nothing, sum
    case activation(Activation)
    case slope(Activation)

    static let all: [Step] =
      [.nothing, .sum] + Activation.allCases.flatMap { [.activation($0), .slope($0)] }

    var description: String {
      switch self {
      case .nothing: "no epilogue"
      case .sum: "a sum"
      case .activation(let activation): "\(activation)"
      case .slope(let activation): "the slope of \(activation)"
      }
    }
  }

  /// (M, N, K): tiles and panels that are whole and ragged, one to three chains.
  ///
  /// Then the kernels' own branches, in tasks that one thread has whole. B is packed where it has more than 64 rows (96
  /// with AVX-512), or not whole vectors of columns. A is packed where it lies across and has more than four panels of
  /// B, or rows of 1024 floats (1021 here and the margin). In place it meets blocks of at most 96 columns of B below 1024
  /// rows, from there on of 384: one block of 250, two of 397. Up to four rows of A in place multiply a B that lies along k
  /// without a panel, sixteen columns and sixteen of k at a time.
  private static let sizes = [
    (1, 1, 1), (5, 17, 3), (13, 33, 257), (23, 31, 521), (97, 47, 16), (199, 259, 19),
    (40, 96, 385), (64, 64, 5), (65, 64, 5), (96, 64, 5), (97, 64, 5), (1021, 33, 7), (1023, 250, 2),
    (1024, 250, 3), (1030, 397, 2),
    (1, 50, 800), (2, 33, 400), (3, 16, 16), (4, 100, 385), (4, 15, 3), (1, 640, 129),
  ]

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

    func matrix(_ tensor: Tensor, transposed: Bool = false) -> Matrix {
      let matrix = Matrix(tensor, rows: outer, columns: inner, rowStride: rowStride, offset: offset)
      return transposed ? matrix.transposed : matrix
    }

    /// What a matrix of this layout holds, after a look at what lies around it: nothing may have been written there.
    func inside(_ values: [Float]) -> [Float] {
      var inside: [Float] = []
      var isOutsideWritten = false
      for index in values.indices {
        let (row, column) = (index - offset).quotientAndRemainder(dividingBy: rowStride)
        if index >= offset, column < inner, row < outer {
          inside.append(values[index])
        } else {
          isOutsideWritten = isOutsideWritten || !values[index].isNaN
        }
      }
      #expect(!isOutsideWritten)
      return inside
    }
  }

  /// The operands of one product, and what it comes to.
  private struct Case {
    let layout: Layout
    let rows, columns, depth: Int
    let bias, other: [Float]
    let a, b, before, operand: Operand
    let product: [Float]

    init(_ layout: Layout, _ rows: Int, _ columns: Int, _ depth: Int) {
      self.layout = layout
      (self.rows, self.columns, self.depth) = (rows, columns, depth)
      var random = TestRandom(seed: 3)
      let (left, right) = (eighths(rows * depth, &random), eighths(depth * columns, &random))
      let (bias, start) = (eighths(columns, &random), eighths(rows * columns, &random))
      let other = eighths(rows * columns, &random).map { 4 * $0 }
      a = Operand(rows: rows, columns: depth, transposed: layout.transposedA) { left[$0 * depth + $1] }
      b = Operand(rows: depth, columns: columns, transposed: layout.transposedB) { right[$0 * columns + $1] }
      before = Operand(rows: rows, columns: columns, transposed: false) {
        layout.accumulate ? start[$0 * columns + $1] : .nan
      }
      operand = Operand(rows: rows, columns: columns, transposed: false) { other[$0 * columns + $1] }
      var product = (0..<rows * columns).map { bias[$0 % columns] + (layout.accumulate ? start[$0] : 0) }
      for row in 0..<rows {
        for k in 0..<depth {
          let factor = left[row * depth + k]
          for column in 0..<columns {
            product[row * columns + column] += factor * right[k * columns + column]
          }
        }
      }
      (self.bias, self.other, self.product) = (bias, other, product)
    }

    func run(_ step: Step, _ place: Place) throws -> Outputs {
      let c = try place.input(before.values)
      let result = try place.output(before.values.count)
      let epilogue: Epilogue? =
        switch step {
        case .nothing: nil
        case .sum: .add(operand.matrix(try place.input(operand.values)))
        case .activation(let activation): .activation(activation, output: before.matrix(result))
        case .slope(let activation):
          .slope(activation, input: operand.matrix(try place.input(operand.values)))
        }
      let work = try GEMM.work(
        a.matrix(place.input(a.values), transposed: layout.transposedA),
        b.matrix(place.input(b.values), transposed: layout.transposedB), bias: place.input(bias),
        accumulate: layout.accumulate, into: before.matrix(c), epilogue: epilogue, context: place.context)
      place.context.perform(work)
      var outputs = ["c": before.inside(c.array())]
      if case .activation = step { outputs["result"] = before.inside(result.array()) }
      return outputs
    }

    func check(_ outputs: Outputs, after step: Step, _ what: String) {
      switch step {
      case .nothing: expect(outputs["c"], equals: product, what)
      case .sum: expect(outputs["c"], equals: zip(product, other).map { $0 + $1 }, what)
      case .activation(let activation):
        expect(outputs["c"], equals: product, what)
        let expected = activation.plain.forward(doubles(product))
        let bounds = zip(product, expected).map { activation.forwardBound(Double($0), y: $1) }
        expect(outputs["result"], near: expected, within: bounds, what)
      case .slope(let activation):
        let expected = activation.plain.backward(doubles(product), input: doubles(other))
        let bounds = zip(product, other).map { activation.productBound(Double($1), of: Double($0), error: 0) }
        expect(outputs["c"], near: expected, within: bounds, what)
      }
    }
  }

  @Test(arguments: Layout.all) func exactOnEighths(_ layout: Layout) throws {
    for (rows, columns, depth) in Self.sizes {
      let product = Case(layout, rows, columns, depth)
      for step in Step.all {
        for (set, outputs) in try everywhere({ place in try product.run(step, place) }) {
          product.check(outputs, after: step, "M \(rows), N \(columns), K \(depth), \(step) on \(set)")
        }
      }
    }
  }
}

private func eighths(_ count: Int, _ random: inout TestRandom) -> [Float] {
  (0..<count).map { _ in Float(Int.random(in: -8...8, using: &random)) / 8 }
}
