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
      Residual.forward(first, second, count: count, out: out, context: place.context)
      var outputs = ["sum": out.array()]
      Residual.forward(first, second, count: count, out: second, context: place.context)
      outputs["sum in b"] = second.array()
      second.copy(from: b)
      Residual.forward(first, second, count: count, out: first, context: place.context)
      outputs["sum in a"] = first.array()
      return outputs
    }
    let expected = ReferenceResidual.forward(doubles(a), doubles(b)).map { Float($0) }
    for (set, outputs) in results {
      for (name, sum) in outputs { expect(sum, equals: expected, "\(name) on \(set)") }
    }
  }

  /// Elements beyond the count stay.
  @Test func partOfATensor() throws {
    _ = try everywhere { place in
      let out = try place.input([7, 7, 7, 7])
      try Residual.forward(
        place.input([1, 2, 9]), place.input([3, 4, 9]), count: 2, out: out, context: place.context)
      #expect(out.array() == [4, 6, 7, 7])
      return [:]
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
