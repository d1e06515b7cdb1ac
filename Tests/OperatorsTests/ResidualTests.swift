import Machine
import Operators
import Reference
import TestSupport
import Testing

@Suite struct ResidualTests {
  static let counts = [1, 2, 15, 16, 17, 31, 33, 131, 16383, 16384, 16385, 65537]

  /// The sum of two floats in double, rounded to float, is rounded as if once: 53 ≥ 2·24 + 2 bits (Figueroa 1995,
  /// "When is double rounding innocuous?"). The product before it is of ones, and so exact.
  @Test(arguments: counts) func addedByAProduct(_ count: Int) throws {
    var random = TestRandom(seed: 4)
    let (a, b): ([Float], [Float]) = (random.normal(count), random.normal(count))
    let results = try everywhere { place in
      let sum = try place.output(count)
      try place.product(a, y: sum, epilogue: .add(place.input(b).matrix(columns: count)))
      return ["sum": sum.array()]
    }
    let expected = ReferenceResidual.forward(doubles(a), doubles(b)).map { Float($0) }
    for (set, outputs) in results { expect(outputs["sum"], equals: expected, "sum on \(set)") }
  }

  /// About the 256 rows of a task; what lies beside the columns and between the rows stays.
  @Test(arguments: [1, 255, 256, 257, 700]) func zeroColumns(rows: Int) throws {
    let (columns, stride, zeroed) = (5, 7, 2..<4)
    for (_, outputs) in try everywhere({ place in
      let tensor = try place.input([Float](repeating: 3, count: (rows - 1) * stride + columns))
      Residual.zeroColumns(
        zeroed, of: Matrix(tensor, rows: rows, columns: columns, rowStride: stride), context: place.context)
      return ["matrix": tensor.array()]
    }) {
      let expected = (0..<(rows - 1) * stride + columns).map {
        zeroed.contains($0 % stride) ? Float(0) : 3
      }
      expect(outputs["matrix"], equals: expected, "\(rows) rows")
    }
  }

  @Test(arguments: counts) func zero(_ count: Int) throws {
    for (_, outputs) in try everywhere({ place in
      let tensor = try place.output(count)
      Residual.zero(tensor, context: place.context)
      return ["zero": tensor.array()]
    }) {
      #expect(outputs["zero"]?.allSatisfy { $0 == 0 } == true)
    }
  }
}
