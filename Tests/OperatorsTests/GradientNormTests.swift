import Machine
import Operators
import Reference
import TestSupport
import Testing

/// The squared norms of rows that every step of training measures, and the norm made of them.
@Suite struct GradientNormTests {
  private func norm(of gradients: Tensor, channels: Int, squares: Tensor, _ context: ExecutionContext)
    -> Double
  {
    context.perform(
      GradientNorm.work(of: gradients, channels: channels, squares: squares, context: context))
    return GradientNorm.root(ofSum: squares)
  }

  /// Rows about a vector and about a task of 65536 elements.
  @Test(arguments: [(1, 1), (3, 15), (5, 16), (4, 17), (530, 124), (529, 124), (2, 65537), (7, 768)])
  func isThatOfTheReference(_ rows: Int, _ channels: Int) throws {
    var random = TestRandom(seed: UInt64(rows + channels))
    let gradients: [Float] = random.normal(rows * channels, deviation: 0.1)
    let results = try everywhere { place in
      let squares = try place.output(rows)
      let norm = norm(of: try place.input(gradients), channels: channels, squares: squares, place.context)
      return ["squares": squares.array(), "norm": [Float(norm), Float(norm - Double(Float(norm)))]]
    }
    for (set, outputs) in results {
      let expected = (0..<rows).map { row in
        gradients[row * channels..<(row + 1) * channels].reduce(0.0) { $0 + Double($1) * Double($1) }
      }
      // All terms are positive: a row is off by as many roundings as its longest way through lanes and tree.
      let bounds = expected.map { $0 * rounded(laneRoundings(channels)) }
      expect(outputs["squares"], near: expected, within: bounds, "squares on \(set)")
      let parts = try #require(outputs["norm"])
      let whole = ReferenceGradientNorm.norm([gradients.map(Double.init)])
      // √ halves the relative error; the sum of the rows is in Double.
      let bound = whole * (rounded(laneRoundings(channels)) / 2 + Double(rows) * 0x1p-52)
      #expect(abs(Double(parts[0]) + Double(parts[1]) - whole) <= bound, "norm on \(set)")
    }
  }

  /// The norm of powers of two is exact, and that of the whole does not depend on the scale.
  @Test func byHand() throws {
    _ = try everywhere { place in
      let two = try place.input([3, -4])
      let (one, both, many) = (try place.output(1), try place.output(2), try place.output(17))
      #expect(norm(of: two, channels: 2, squares: one, place.context) == 5)
      #expect(norm(of: two, channels: 1, squares: both, place.context) == 5)
      let ones = try place.input([Float](repeating: -0.5, count: 4096 * 17))
      #expect(
        norm(of: ones, channels: 4096, squares: many, place.context)
          == (0.25 * 4096 * 17).squareRoot())
      return [:]
    }
  }

  /// One gradient that is no number shows in the norm, wherever it stands.
  @Test(arguments: [Float.nan, .infinity, -.infinity], [0, 15, 16, 4096, 65536, 65552])
  func nonFiniteGradient(_ value: Float, at index: Int) throws {
    var gradients = [Float](repeating: 1e-3, count: 65553)
    gradients[index] = value
    _ = try everywhere { place in
      let squares = try place.output(21851)
      let norm = norm(of: try place.input(gradients), channels: 3, squares: squares, place.context)
      #expect(!norm.isFinite)
      return [:]
    }
  }
}
