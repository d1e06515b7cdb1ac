import Machine
import Operators
import Reference
import TestSupport
import Testing

/// R, K, N, and floats that follow each row of y and dout.
struct LinearSize: CustomTestStringConvertible, Sendable {
  let rows, inputs, outputs, padding: Int
  var testDescription: String { "R \(rows), K \(inputs), N \(outputs), padding \(padding)" }

  init(_ rows: Int, _ inputs: Int, _ outputs: Int, padding: Int = 0) {
    (self.rows, self.inputs, self.outputs, self.padding) = (rows, inputs, outputs, padding)
  }

  var stride: Int { outputs + padding }
  /// The last row's padding does not exist: the guard page follows its last output.
  var stridedCount: Int { (rows - 1) * stride + outputs }

  /// y or dout, of strided numbers.
  func output(_ tensor: Tensor) -> Matrix {
    Matrix(tensor, rows: rows, columns: outputs, rowStride: stride)
  }

  /// Puts NaN into the padding.
  func strided(_ values: [Float]) -> [Float] {
    var result = [Float](repeating: .nan, count: stridedCount)
    for row in 0..<rows {
      for output in 0..<outputs { result[row * stride + output] = values[row * outputs + output] }
    }
    return result
  }

  /// All sizes about those of a tile (rows 4, 6, 8; columns 16, 32, 48), of a K block (384) and of what is packed
  /// (groups of 16, 24 and 32 rows, 96 and 384 columns; fewer than 65 or 193 columns leave A in place, fewer than 65 or
  /// 97 rows leave B in place), for each of the three products: K is the depth of y, N of dx, R of dweight.
  static let ragged = [
    LinearSize(1, 1, 1), LinearSize(2, 3, 1, padding: 3), LinearSize(1, 383, 16), LinearSize(3, 384, 15),
    LinearSize(4, 385, 17, padding: 1), LinearSize(5, 769, 31), LinearSize(6, 64, 32), LinearSize(7, 19, 33),
    LinearSize(8, 131, 47), LinearSize(9, 13, 49), LinearSize(15, 96, 48), LinearSize(17, 193, 97),
    LinearSize(383, 7, 19), LinearSize(384, 13, 95), LinearSize(385, 197, 3), LinearSize(3, 17, 383),
    LinearSize(2, 5, 384), LinearSize(5, 3, 385, padding: 7), LinearSize(769, 389, 9),
    LinearSize(11, 2, 63), LinearSize(12, 131, 65), LinearSize(13, 97, 131, padding: 125),
    LinearSize(63, 65, 64), LinearSize(64, 255, 48), LinearSize(65, 257, 131), LinearSize(131, 63, 19),
    LinearSize(2, 521, 1), LinearSize(127, 15, 16), LinearSize(128, 16, 15), LinearSize(129, 17, 5),
    LinearSize(255, 3, 2), LinearSize(256, 33, 13), LinearSize(257, 13, 7, padding: 9),
    LinearSize(521, 5, 31), LinearSize(13, 1024, 17), LinearSize(193, 33, 1024),
    LinearSize(19, 31, 255), LinearSize(1, 32, 256), LinearSize(19, 31, 257), LinearSize(3, 7, 521),
    LinearSize(197, 131, 263, padding: 3), LinearSize(263, 271, 61),
    LinearSize(96, 48, 385), LinearSize(387, 80, 64),
  ]
}

@Suite struct LinearTests {
  /// Each product passes `productRoundings(K)` roundings, the bias fewer.
  @Test(arguments: LinearSize.ragged) func forward(_ size: LinearSize) throws {
    var random = TestRandom(seed: 1)
    let x: [Float] = random.normal(size.rows * size.inputs)
    let weight: [Float] = random.normal(size.outputs * size.inputs)
    let bias: [Float] = random.normal(size.outputs)
    let results = try everywhere { place in
      var outputs: Outputs = [:]
      for (name, shift) in [("y", bias), ("y without bias", nil)] {
        let y = try place.output(size.stridedCount)
        try Linear.forward(
          place.input(x).matrix(columns: size.inputs),
          weight: place.input(weight).matrix(columns: size.inputs), bias: shift.map(place.input),
          y: size.output(y), context: place.context)
        outputs[name] = y.array()
      }
      return outputs
    }
    func reference(_ convert: ([Float]) -> [Double], bias: [Float]?) -> [Double] {
      ReferenceLinear.forward(
        convert(x), weight: convert(weight), bias: bias.map(convert), rows: size.rows,
        inputChannels: size.inputs, outputChannels: size.outputs)
    }
    for (name, shift) in [("y", bias), ("y without bias", nil)] {
      let expected = reference(doubles, bias: shift)
      let bounds = reference(magnitudes, bias: shift).map { rounded(productRoundings(size.inputs)) * $0 }
      for (set, outputs) in results {
        expect(
          compact(outputs[name], size), near: expected, within: bounds, "\(name) on \(set)")
      }
    }
    #expect(
      rounded(productRoundings(size.inputs)) <= Double(size.inputs / 384 + 387) * epsilon,
      "the bound that Linear.forward states")
  }

  /// As forward, with sums over N, R and R. What is there is NaN where it must be overwritten.
  @Test(arguments: LinearSize.ragged, [false, true])
  func backward(_ size: LinearSize, accumulate: Bool) throws {
    var random = TestRandom(seed: 2)
    let dout: [Float] = random.normal(size.rows * size.outputs)
    let x: [Float] = random.normal(size.rows * size.inputs)
    let weight: [Float] = random.normal(size.outputs * size.inputs)
    let before: (dweight: [Float], dbias: [Float]) = (
      random.normal(weight.count), random.normal(size.outputs)
    )
    let results = try everywhere { place in
      let dx = try place.output(x.count)
      let dweight = try accumulate ? place.input(before.dweight) : place.output(weight.count)
      let dbias = try accumulate ? place.input(before.dbias) : place.output(size.outputs)
      try Linear.backward(
        size.output(place.input(size.strided(dout))), x: place.input(x).matrix(columns: size.inputs),
        weight: place.input(weight).matrix(columns: size.inputs), accumulate: accumulate,
        dx: dx.matrix(columns: size.inputs), dweight: dweight.matrix(columns: size.inputs), dbias: dbias,
        context: place.context)
      return ["dx": dx.array(), "dweight": dweight.array(), "dbias": dbias.array()]
    }
    func reference(_ convert: ([Float]) -> [Double]) -> (dx: [Double], dweight: [Double], dbias: [Double]) {
      var dweight = accumulate ? convert(before.dweight) : [Double](repeating: 0, count: weight.count)
      var dbias = accumulate ? convert(before.dbias) : [Double](repeating: 0, count: size.outputs)
      let dx = ReferenceLinear.backward(
        convert(dout), input: convert(x), weight: convert(weight), rows: size.rows,
        inputChannels: size.inputs,
        outputChannels: size.outputs, dweight: &dweight, dbias: &dbias)
      return (dx, dweight, dbias)
    }
    let (expected, sums) = (reference(doubles), reference(magnitudes))
    let (ofOutputs, ofRows) = (rounded(productRoundings(size.outputs)), rounded(productRoundings(size.rows)))
    let ofColumns = rounded(columnRoundings(size.rows))
    for (set, outputs) in results {
      expect(outputs["dx"], near: expected.dx, within: sums.dx.map { ofOutputs * $0 }, "dx on \(set)")
      expect(
        outputs["dweight"], near: expected.dweight, within: sums.dweight.map { ofRows * $0 },
        "dweight on \(set)")
      expect(
        outputs["dbias"], near: expected.dbias, within: sums.dbias.map { ofColumns * $0 }, "dbias on \(set)")
    }
  }

  /// A sum passes one rounding more than its product; an activation and a slope are off by what the product before is
  /// and by their own error (`ActivationTests`).
  @Test(arguments: LinearSize.ragged, Activation.allCases)
  func epilogues(_ size: LinearSize, _ activation: Activation) throws {
    let operands = EpilogueOperands(size)
    let results = try everywhere { place in try operands.run(activation, place) }
    let (sums, magnitudes) = (operands.products(doubles), operands.products(magnitudes))
    let forwardError = magnitudes.y.map { rounded(productRoundings(size.inputs)) * $0 }
    let backwardError = magnitudes.dx.map { rounded(productRoundings(size.outputs)) * $0 }
    let other = doubles(operands.other)
    for (set, outputs) in results {
      let sumBounds = zip(magnitudes.y, other).map {
        rounded(productRoundings(size.inputs) + 1) * ($0 + abs($1))
      }
      expect(
        outputs["sum"], near: ReferenceResidual.forward(sums.y, other), within: sumBounds, "sum on \(set)")
      let kept = try #require(outputs["kept"])
      expect(kept, near: sums.y, within: forwardError, "what the activation is taken of, on \(set)")
      let activated = activation.plain.forward(doubles(kept))
      let activatedBounds = zip(kept, activated).map { activation.forwardBound(Double($0), y: $1) }
      expect(outputs["activation"], near: activated, within: activatedBounds, "activation on \(set)")
      let slopes = activation.plain.backward(sums.dx, input: doubles(operands.input))
      let slopeBounds = sums.dx.indices.map {
        activation.productBound(Double(operands.input[$0]), of: sums.dx[$0], error: backwardError[$0])
      }
      expect(outputs["slope"], near: slopes, within: slopeBounds, "slope on \(set)")
    }
  }

  @Test func noBiasGradient() throws {
    let (weight, x): ([Float], [Float]) = ([2, 3], [5, 7])
    _ = try everywhere { place in
      let (dx, dweight) = (try place.output(2), try place.output(2))
      try Linear.backward(
        place.input([11]).matrix(columns: 1), x: place.input(x).matrix(columns: 2),
        weight: place.input(weight).matrix(columns: 2), accumulate: false, dx: dx.matrix(columns: 2),
        dweight: dweight.matrix(columns: 2), dbias: nil, context: place.context)
      #expect(dx.array() == [22, 33] && dweight.array() == [55, 77])
      return [:]
    }
  }

  /// Takes the padding away, after a look at it: nothing may have been written there.
  private func compact(_ strided: [Float]?, _ size: LinearSize) -> [Float] {
    let strided = strided ?? []
    let padding = strided.indices.filter { $0 % size.stride >= size.outputs }
    #expect(padding.allSatisfy { strided[$0].isNaN }, "padding was written")
    return strided.indices.filter { $0 % size.stride < size.outputs }.map { strided[$0] }
  }
}

/// What a linear layer and its epilogues take.
private struct EpilogueOperands {
  let size: LinearSize
  /// (R, K), (N, K), (N)
  let x, weight, bias: [Float]
  /// (R, N): what is added, and the gradient of y.
  let other: [Float]
  /// (R, K): where the slope is taken.
  let input: [Float]

  init(_ size: LinearSize) {
    var random = TestRandom(seed: 3)
    self.size = size
    x = random.normal(size.rows * size.inputs)
    weight = random.normal(size.outputs * size.inputs)
    bias = random.normal(size.outputs)
    other = random.normal(size.rows * size.outputs)
    input = random.normal(x.count, deviation: 3)
  }

  func run(_ activation: Activation, _ place: Place) throws -> Outputs {
    func wide(_ tensor: Tensor) -> Matrix { tensor.matrix(columns: size.outputs) }
    func narrow(_ tensor: Tensor) -> Matrix { tensor.matrix(columns: size.inputs) }
    func forward(_ epilogue: Epilogue, y: Tensor) throws {
      try Linear.forward(
        narrow(place.input(x)), weight: narrow(place.input(weight)), bias: place.input(bias), y: wide(y),
        epilogue: epilogue, context: place.context)
    }
    let (sum, kept, activated) = (
      try place.output(other.count), try place.output(other.count), try place.output(other.count)
    )
    try forward(.add(wide(place.input(other))), y: sum)
    try forward(.activation(activation, output: wide(activated)), y: kept)
    let slope = try place.output(x.count)
    try Linear.backward(
      wide(place.input(other)), x: narrow(place.input(x)), weight: narrow(place.input(weight)),
      accumulate: false,
      dx: narrow(slope), epilogue: .slope(activation, input: narrow(place.input(input))),
      dweight: narrow(place.output(weight.count)), dbias: nil, context: place.context)
    return [
      "sum": sum.array(), "kept": kept.array(), "activation": activated.array(), "slope": slope.array(),
    ]
  }

  /// y and dx before their epilogues; of magnitudes, what their bounds are made of.
  func products(_ convert: ([Float]) -> [Double]) -> (y: [Double], dx: [Double]) {
    let y = ReferenceLinear.forward(
      convert(x), weight: convert(weight), bias: convert(bias), rows: size.rows, inputChannels: size.inputs,
      outputChannels: size.outputs)
    let dx = ReferenceLinear.backwardInput(
      convert(other), weight: convert(weight), rows: size.rows, inputChannels: size.inputs,
      outputChannels: size.outputs)
    return (y, dx)
  }
}
