import Foundation
import Machine
import Operators
import Reference
import TestSupport
import Testing

@Suite struct ActivationTests {
  static let counts = [1, 2, 15, 16, 17, 31, 33, 131, 8191, 8192, 8193, 16401]

  /// Values about 0, where most are, the tails to where exp overflows, and the ends of the range.
  private func inputs(_ count: Int) -> [Float] {
    var random = TestRandom(seed: 10)
    let ends: [Float] = [0, 1e-30, -1e-30, 1e-6, -1e-6, 9.9, -9.9, 30, -30, 1000, -1000]
    let middle: [Float] = random.normal(count / 2)
    let tails: [Float] = random.uniform(max(0, count - count / 2), -12, 12)
    return Array((tails + middle + ends).suffix(count))
  }

  @Test(arguments: counts, Activation.allCases) func forward(_ count: Int, activation: Activation) throws {
    let x = inputs(count)
    let results = try everywhere { place in
      let (input, y) = (try place.input(x), try place.output(count))
      activation.forward(input, y: y, context: place.context)
      activation.forward(input, y: input, context: place.context)
      expect(input.array(), equals: y.array(), "in place")
      return ["y": y.array()]
    }
    let expected = activation.plain.forward(doubles(x))
    let bounds = zip(x, expected).map { activation.forwardBound(Double($0), y: $1) }
    for (set, outputs) in results { expect(outputs["y"], near: expected, within: bounds, "y on \(set)") }
  }

  /// Of float16 it gives what it makes of the same numbers in float32, rounded once.
  @Test(arguments: counts, Activation.allCases) func ofFloat16(_ count: Int, activation: Activation) throws {
    let x = inputs(count)
    _ = try everywhere(withoutMatrixUnit: true) { place in
      let (y, numbers) = (try place.pairedOutput(count), try place.input(x.map { Float(Float16($0)) }))
      try activation.forward(place.half(x), y: y, context: place.context)
      activation.forward(numbers, y: numbers, context: place.context)
      let found = try place.expanded(y)
      expect(found, equals: numbers.array().map(ReferencePairs.operand), "rounded")
      return ["y": found]
    }
  }

  /// As an epilogue it gives the bits of `forward`, by which a backward pass may compute it again.
  @Test(arguments: counts, Activation.allCases) func epilogue(_ count: Int, activation: Activation) throws {
    let x = inputs(count)
    _ = try everywhere { place in
      let (kept, activated, alone) = (
        try place.output(count), try place.output(count), try place.output(count)
      )
      try place.product(
        x, y: kept, epilogue: .activation(activation, output: activated.matrix(columns: count)))
      try activation.forward(place.input(x), y: alone, context: place.context)
      expect(kept.array(), equals: x, "what the activation is taken of")
      expect(activated.array(), equals: alone.array(), "activation")
      return ["activated": activated.array()]
    }
  }

  @Test(arguments: counts, Activation.allCases) func slope(_ count: Int, activation: Activation) throws {
    let x = inputs(count)
    var random = TestRandom(seed: 11)
    let dout: [Float] = random.normal(count)
    let results = try everywhere { place in
      let dx = try place.output(count)
      try place.gradientProduct(
        dout, dx: dx, epilogue: .slope(activation, input: place.input(x).matrix(columns: count)))
      return ["dx": dx.array()]
    }
    let expected = activation.plain.backward(doubles(dout), input: doubles(x))
    let bounds = zip(x, dout).map { activation.productBound(Double($0), of: Double($1), error: 0) }
    for (set, outputs) in results { expect(outputs["dx"], near: expected, within: bounds, "dx on \(set)") }
  }

  /// x·σ(2u) loses nothing where ½x·(1 + tanh u) would cancel; the oracle does cancel there, hence this form.
  @Test func negativeTailKeepsItsDigits() throws {
    let x = (0..<1000).map { -Float($0) / 110 }
    let expected = x.map { x in
      let u = (2 / Double.pi).squareRoot() * (Double(x) + 0.044715 * pow(Double(x), 3))
      return Double(x) / (1 + exp(-2 * u))
    }
    let bounds = zip(x, expected).map { Activation.sigmoidBound(Double($0)).relative * abs($1) + underflow }
    for (set, outputs) in try everywhere({ place in
      let y = try place.output(x.count)
      try Activation.gelu.forward(place.input(x), y: y, context: place.context)
      return ["y": y.array()]
    }) {
      expect(outputs["y"], near: expected, within: bounds, "y on \(set)")
    }
  }

  /// Far out GELU is x or 0 and its slope 1 or 0, however large x³ becomes.
  @Test(arguments: [Activation.gelu, .geluErf]) func saturates(_ activation: Activation) throws {
    let x: [Float] = [16, -16, 1e10, -1e10, 1e15, -1e15, 3e38, -3e38]
    for (set, outputs) in try everywhere({ place in
      let (y, dx) = (try place.output(x.count), try place.output(x.count))
      try activation.forward(place.input(x), y: y, context: place.context)
      try place.gradientProduct(
        x.map { _ in 1 }, dx: dx, epilogue: .slope(activation, input: place.input(x).matrix(columns: x.count))
      )
      return ["y": y.array(), "dx": dx.array()]
    }) {
      #expect(outputs["y"] == x.map { max($0, 0) }, "y on \(set)")
      #expect(outputs["dx"] == x.map { $0 > 0 ? 1 : 0 }, "dx on \(set)")
    }
  }
}

extension Activation {
  /// The relative error of σ̂(z) = 1/(1 + e), e = exp(−z), z = 2u = 2√(2/π)·x·(1 + 0.044715x²), or of x in its place.
  ///
  /// z passes 6 roundings: the square, the constant and the multiply-add of the factor, its product with x, the other
  /// constant and the product with that. So e is off by exp(6ε|z|) and its own error, 1 + e by e/(1 + e) of that and a
  /// rounding, the quotient by one more. Where e overflows σ̂ is 0; it is less than 2⁻¹²⁷ then.
  static func sigmoidBound(_ x: Double) -> (value: Double, relative: Double) {
    let z = 2 * (2 / Double.pi).squareRoot() * x * (1 + 0.044715 * x * x)
    let e = exp(-z)
    let error = exp(rounded(6) * min(abs(z), 105)) * (1 + exponentialError) - 1
    let share = e.isFinite ? error * e / (1 + e) : error
    return (1 / (1 + e), (1 + rounded(2)) / (1 - share) - 1)
  }

  /// Q(a) = 1 − Φ(a)
  static func tail(_ a: Double) -> Double { 0.5 * erfc(a / 2.0.squareRoot()) }

  /// The relative errors of exp(−a²/2), of Q(a) over that, and of their product, as templates/gelu.h computes them.
  ///
  /// s = (a − k)/(a + k) passes 4 roundings, to which P reacts 0.9-fold; the polynomial is off by 2.4e-8 and its
  /// multiply-adds by Σ(i + 1)·|cᵢsⁱ| ≤ 4·P roundings; 1/(a + k) rounds twice, and the product with it once. a² rounds
  /// once, before an exp of its half.
  static func tailBound(_ a: Double) -> (gaussian: Double, ratio: Double, product: Double) {
    let polynomial = (1 + 2.4e-8) * (1 + 0.9 * rounded(4)) * (1 + 4 * rounded(1))
    let ratio = polynomial * (1 + rounded(3)) - 1
    let gaussian = exp(rounded(1) * a * a / 2) * (1 + exponentialError) - 1
    return (gaussian, ratio, (1 + gaussian) * (1 + ratio) * (1 + rounded(1)) - 1)
  }

  func forwardBound(_ x: Double, y: Double) -> Double {
    switch self {
    case .gelu:
      // ½x·(1 + tanh u) of the oracle cancels for x < 0, to an error of a few 2⁻⁵³ of x.
      return abs(y) * Activation.sigmoidBound(x).relative + abs(x) * (0x1p-51 + 0x1p-127) + underflow
    case .geluErf:
      // max(x, 0) − a·Q, a = |x|: Q's error and one rounding. The oracle's erfc takes an argument that is rounded.
      let a = min(abs(x), 15)
      let product = a * Activation.tail(a)
      let error = product * Activation.tailBound(a).product + a * underflow
      return error + epsilon * (abs(y) + error) + abs(y) * (1 + a * a) * 0x1p-51 + underflow
    case .geluQuintic:
      // The longest way is that of the term in x⁵: its constant, two squares, and four operations on the way out.
      let (a, b, c) = (0.35849124 * abs(x), 0.05037353 * pow(abs(x), 3), 0.00625 * pow(abs(x), 5))
      return rounded(7) * abs(x) * (0.5 + a + b + c) + underflow
    }
  }

  /// How far the product of the slope at x and a gradient that is itself off by `error` may be: each times what the
  /// other is off by, and one more rounding.
  func productBound(_ x: Double, of gradient: Double, error gradientError: Double) -> Double {
    let (slope, error) = slopeBound(x)
    let product = (abs(gradient) + gradientError) * (slope + error)
    return slope * gradientError + (abs(gradient) + gradientError) * error + epsilon * product + underflow
  }

  /// The magnitude of the slope and the error that its computation may have.
  private func slopeBound(_ x: Double) -> (slope: Double, error: Double) {
    let slope = abs(plain.derivative(x))
    switch self {
    case .gelu:
      // σ + x·s·σ·(1 − σ), s = 2√(2/π)·(1 + 3·0.044715x²): s passes 6 roundings, the products 2 more; 1 − σ is off by
      // σ's error and a rounding; the multiply-add rounds once. The oracle's 1 − tanh² has an error of a few 2⁻⁵³.
      let (sigmoid, relative) = Activation.sigmoidBound(x)
      let reach = min(abs(x), 13)
      let steepness = reach * 2 * (2 / Double.pi).squareRoot() * (1 + 0.134145 * reach * reach)
      let product = (1 + rounded(8)) * (1 + relative)
      let complement = 1 - sigmoid
      let complementError = sigmoid * relative + epsilon * (complement + sigmoid * relative)
      let error =
        sigmoid * relative + steepness * sigmoid * (complement * (product - 1) + complementError * product)
        + steepness * 0x1p-51 + (1 + steepness) * 0x1p-127
      return (slope, error + epsilon * (slope + error))
    case .geluErf:
      // d = e·(R − a/√2π), of which one constant is rounded: R's error and the constant's, the multiply-add, e's error,
      // the product. For x ≥ 0 1 − 2d rounds once, and so does what that is added to.
      let a = min(abs(x), 15)
      let gaussian = exp(-a * a / 2)
      let (ratio, density) = (Activation.tail(a) / gaussian, a / (2 * Double.pi).squareRoot())
      let bound = Activation.tailBound(a)
      let difference = abs(ratio - density)
      var inner = ratio * bound.ratio + density * rounded(1)
      inner += epsilon * (difference + inner)
      var error = gaussian * (inner * (1 + bound.gaussian) + difference * bound.gaussian)
      error += epsilon * (gaussian * difference + error) + underflow
      let sum = 2 * epsilon * (1 + slope + 2 * error)
      return (slope, error + (x < 0 ? 0 : sum) + (1 + a * a) * 0x1p-51)
    case .geluQuintic:
      let (a, b, c) = (0.71698248 * abs(x), 0.20149412 * pow(abs(x), 3), 0.0375 * pow(abs(x), 5))
      return (slope, rounded(7) * (0.5 + a + b + c))
    }
  }
}
