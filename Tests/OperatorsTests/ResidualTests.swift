import Machine
import Operators
import Reference
import TestSupport
import Testing

@Suite struct ResidualTests {
  static let counts = [1, 2, 15, 16, 17, 31, 33, 131, 16383, 16384, 16385, 65537]

  /// The sum of two floats in double, rounded to float, is rounded as if once: 53 ≥ 2·24 + 2 bits (Figueroa 1995,
  /// "When is double rounding innocuous?").
  @Test(arguments: counts) func forward(_ count: Int) throws {
    var random = TestRandom(seed: 4)
    let (a, b): ([Float], [Float]) = (random.normal(count), random.normal(count))
    let results = try everywhere { place in
      let (first, second, out) = (try place.input(a), try place.input(b), try place.output(count))
      Residual.forward(first, second, out: out, context: place.context)
      var outputs = ["sum": out.array()]
      Residual.forward(first, second, out: second, context: place.context)
      outputs["sum in b"] = second.array()
      second.copy(from: b)
      Residual.forward(first, second, out: first, context: place.context)
      outputs["sum in a"] = first.array()
      return outputs
    }
    let expected = ReferenceResidual.forward(doubles(a), doubles(b)).map { Float($0) }
    for (set, outputs) in results {
      for (name, sum) in outputs { expect(sum, equals: expected, "\(name) on \(set)") }
    }
  }

  /// Elements beyond a slice stay.
  @Test func partOfATensor() throws {
    _ = try everywhere { place in
      let out = try place.input([7, 7, 7, 7])
      try Residual.forward(
        place.input([1, 2]), place.input([3, 4]), out: out.slice(0..<2), context: place.context)
      #expect(out.array() == [4, 6, 7, 7])
      return [:]
    }
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
