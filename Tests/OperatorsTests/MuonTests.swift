import Machine
import Operators
import RealModule
import Reference
import TestSupport
import Testing

@Suite struct MuonTests {
  private let gradientScale = 0.3

  private func optimizer(decay: Double) -> Muon {
    Muon(momentum: 0.9, others: AdamW(learningRate: 0.02, weightDecay: decay))
  }

  private func plain<Scalar: Real & BinaryFloatingPoint>(
    _ start: [Float], _ gradients: [[Float]], _ shape: (Int, Int), decay: Double
  ) -> [String: [Scalar]] {
    let reference = ReferenceMuon<Scalar>(
      learningRate: 0.02, momentum: 0.9, weightDecay: Scalar(decay))
    var (p, u) = (start.map { Scalar($0) }, [Scalar](repeating: 0, count: start.count))
    for gradient in gradients {
      reference.update(
        gradients: gradient.map { Scalar($0) * Scalar(gradientScale) }, rows: shape.0, columns: shape.1,
        parameters: &p, momentum: &u)
    }
    return ["p": p, "u": u]
  }

  /// Wide, tall, square, of one row or column, in all of the products' ragged sizes; against Double within rule 3, the
  /// plain loops in float32 in PyTorch's place: an iteration makes what rounding does to small singular values up to
  /// 3.4⁵ times as large, which they show as we do.
  @Test(
    arguments: [(1, 1), (1, 9), (9, 1), (16, 48), (49, 16), (33, 65), (67, 33), (64, 64), (20, 400)],
    [0, 0.25])
  func update(_ shape: (Int, Int), decay: Double) throws {
    let count = shape.0 * shape.1
    var random = TestRandom(seed: 23)
    let start: [Float] = random.normal(count)
    let gradients: [[Float]] = (0..<3).map { _ in random.normal(count, deviation: 0.1) }
    let optimizer = optimizer(decay: decay)
    let results = try everywhere { place in
      try place.context.reserve(
        optimizerCount: optimizer.scratchCount(for: [shape.0, shape.1], role: .matrix))
      let parameters = try place.input(start).slice(0..<count, shape: [shape.0, shape.1])
      let slots = [
        try place.input([Float](repeating: 0, count: count)),
        try place.input([Float](repeating: 7, count: count)),
      ]
      for (step, gradient) in gradients.enumerated() {
        place.context.perform(
          optimizer.work(
            OptimizerOperands(parameters: parameters, gradients: try place.input(gradient), slots: slots),
            step: OptimizerStep(number: step + 1, gradientScale: gradientScale), context: place.context))
      }
      return ["p": parameters.array(), "u": slots[0].array(), "second slot": slots[1].array()]
    }
    let exact: [String: [Double]] = plain(start, gradients, shape, decay: decay)
    let float32: [String: [Float]] = plain(start, gradients, shape, decay: decay)
    let tolerances = try float32Tolerances(
      exact: exact, float32: float32.mapValues { $0.map(Double.init) })
    for (set, outputs) in results {
      for (name, expected) in exact {
        let found = try #require(outputs[name])
        let difference = try maximumDifference(found, expected)
        let allowed = try #require(tolerances[name])
        #expect(difference.magnitude <= allowed, "\(name) on \(set): \(difference), allowed \(allowed)")
      }
      #expect(outputs["second slot"] == [Float](repeating: 7, count: count), "\(set)")
    }
  }

  /// The iteration's polynomial takes every singular value of a full-rank matrix to about 1, whatever they were.
  @Test func directionsAreOrthogonal() throws {
    let (rows, columns) = (24, 40)
    var random = TestRandom(seed: 3)
    let gradient: [Float] = random.normal(rows * columns)
    let context = try ExecutionContext(threads: 1)
    let optimizer = Muon(momentum: 0, others: AdamW(learningRate: 1))
    try context.reserve(optimizerCount: optimizer.scratchCount(for: [rows, columns], role: .matrix))
    let arena = try Arena([
      .init(name: "p", shape: [rows, columns]), .init(name: "g", shape: [rows, columns]),
      .init(name: "u", shape: [rows, columns]),
    ])
    let (p, g, u) = (
      try #require(arena["p"]), try #require(arena["g"]), try #require(arena["u"])
    )
    g.copy(from: gradient)
    context.perform(
      optimizer.work(
        OptimizerOperands(parameters: p, gradients: g, slots: [u, u]), step: OptimizerStep(number: 1),
        context: context))
    let direction = p.array().map { Double($0) / (-0.2 * Double(columns).squareRoot()) }
    for one in 0..<rows {
      for other in 0...one {
        let dot = (0..<columns).reduce(0.0) {
          $0 + direction[one * columns + $1] * direction[other * columns + $1]
        }
        // Singular values between 0.68 and 1.13 (the iteration's range): squares within 0.55 of 1.
        #expect(abs(dot - (one == other ? 1 : 0)) < 0.55, "rows \(one) and \(other): \(dot)")
      }
    }
  }

  @Test(arguments: [
    (Muon(others: AdamW(learningRate: -1)), "the learning rate"), (Muon(momentum: 1), "the momentum"),
    (Muon(momentum: -0.1), "the momentum"), (Muon(others: AdamW(beta1: 1)), "beta1"),
  ])
  func refusesWhatIsOutsideItsRange(_ optimizer: Muon, _ name: String) throws {
    let error = #expect(throws: OptimizerError.self) { try optimizer.check() }
    #expect(error?.name == name)
    try Muon().check()
  }
}
