import Machine
import Operators
import TestSupport
import Testing

/// A row's product has the same bits whether it is alone, one of a few or one of many: what a decoder rests on.
@Suite struct FewRowsTests {
  /// (N, K): about a vector of sixteen columns and a block of sixteen along k, a chain of 384, weights whose rows lie
  /// 4 KB apart, more columns than a task has.
  @Test(
    arguments: [
      (1, 1), (1, 40), (15, 16), (16, 15), (17, 17), (33, 383), (48, 384), (50, 385), (40, 769), (32, 1024),
      (700, 130),
    ])
  func rowsAloneHaveTheBitsOfMany(outputs: Int, inputs: Int) throws {
    let rows = 9
    var random = TestRandom(seed: 100)
    let x: [Float] = random.normal(rows * inputs)
    let weight: [Float] = random.normal(outputs * inputs)
    let bias: [Float] = random.normal(outputs)
    let stream: [Float] = random.normal(rows * outputs)
    _ = try everywhere { place in
      let (weights, biases) = (try place.input(weight).matrix(columns: inputs), try place.input(bias))
      func forward(_ range: Range<Int>, _ bias: Tensor?, sum: Bool) throws -> [Float] {
        let some = try place.input(Array(x[range.lowerBound * inputs..<range.upperBound * inputs]))
        let added = try place.input(Array(stream[range.lowerBound * outputs..<range.upperBound * outputs]))
        let y = try place.output(range.count * outputs)
        Linear.forward(
          some.matrix(columns: inputs), weight: weights, bias: bias, y: y.matrix(columns: outputs),
          epilogue: sum ? .add(added.matrix(columns: outputs)) : nil, context: place.context)
        return y.array()
      }
      var all: [Float] = []
      for (bias, sum) in [(nil, false), (biases, false), (biases, true)] as [(Tensor?, Bool)] {
        let many = try forward(0..<rows, bias, sum: sum)
        for count in 1...5 {
          for first in [0, rows - count] {
            let range = first..<first + count
            expect(
              try forward(range, bias, sum: sum),
              equals: Array(many[first * outputs..<range.upperBound * outputs]),
              "\(range) on \(place.context.instructionSet)")
          }
        }
        all += many
      }
      return ["y": all]
    }
  }
}
