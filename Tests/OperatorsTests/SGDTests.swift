import Machine
import Operators
import Reference
import TestSupport
import Testing

@Suite struct SGDTests {
  static let optimizers = [
    SGD(learningRate: 0.1, momentum: 0), SGD(learningRate: 0.1, momentum: 0, weightDecay: 0.2),
    SGD(learningRate: 3e-2, momentum: 0.9, weightDecay: 0.1),
    SGD(learningRate: 3e-2, momentum: 0.8, nesterov: true, weightDecay: 0.1),
  ]
  private let gradientScale = 0.3

  /// Each step is compared with one of the oracle from the same state, so that errors do not add up.
  ///
  ///     d = s·g + decay·p     s and decay round once each, s·g and the multiply-add once: 3 of |s·g|, 2 of |decay·p|,
  ///                           of which one of the sum
  ///     u = μ·u + d           μ and the multiply-add
  ///     p − lr·u              lr and the multiply-add, u's own error times lr
  @Test(arguments: [1, 15, 16, 17, 131, 65535, 65536, 65537], optimizers.indices)
  func update(_ count: Int, optimizer index: Int) throws {
    let optimizer = Self.optimizers[index]
    var random = TestRandom(seed: 17)
    let start: [Float] = random.normal(count)
    let gradients: [[Float]] = (0..<3).map { _ in random.normal(count, deviation: 0.1) }
    let results = try everywhere { place in
      let parameters = try place.input(start)
      let slots = try optimizer.slots.map { _ in try place.input([Float](repeating: 0, count: count)) }
      var outputs: Outputs = [:]
      for (step, gradient) in gradients.enumerated() {
        place.context.perform(
          optimizer.work(
            OptimizerOperands(parameters: parameters, gradients: try place.input(gradient), slots: slots),
            step: OptimizerStep(number: step + 1, gradientScale: gradientScale), context: place.context))
        outputs["p \(step)"] = parameters.array()
        outputs["u \(step)"] = slots.first?.array() ?? []
      }
      return outputs
    }
    let reference = ReferenceSGD<Double>(
      learningRate: optimizer.learningRate, momentum: optimizer.momentum, nesterov: optimizer.nesterov,
      weightDecay: optimizer.weightDecay)
    for (set, outputs) in results {
      var (p, u) = (start, [Float](repeating: 0, count: count))
      for (step, gradient) in gradients.enumerated() {
        let scaled = gradient.map { Double($0) * gradientScale }
        var (expectedP, expectedU) = (p.map(Double.init), u.map(Double.init))
        reference.update(gradients: scaled, parameters: &expectedP, momentum: &expectedU)
        let allowed = p.indices.map { i in
          bounds(optimizer, scaled[i], Double(p[i]), Double(u[i]), expectedP[i])
        }
        let what = "after step \(step) on \(set)"
        p = try #require(outputs["p \(step)"])
        expect(p, near: expectedP, within: allowed.map(\.p), "p \(what)")
        guard optimizer.momentum > 0 else { continue }
        u = try #require(outputs["u \(step)"])
        expect(u, near: expectedU, within: allowed.map(\.u), "u \(what)")
      }
    }
  }

  private func bounds(
    _ optimizer: SGD, _ gradient: Double, _ p: Double, _ u: Double, _ result: Double
  ) -> (p: Double, u: Double) {
    let ofD = rounded(3) * (abs(gradient) + abs(optimizer.weightDecay * p))
    let d = gradient + optimizer.weightDecay * p
    let ofU = rounded(2) * (abs(optimizer.momentum * u) + abs(d)) + ofD * (1 + rounded(2))
    let newU = optimizer.momentum * u + d
    let moved = optimizer.nesterov ? d + optimizer.momentum * newU : optimizer.momentum > 0 ? newU : d
    let ofMoved =
      optimizer.nesterov
      ? ofD + ofU + rounded(2) * (abs(d) + abs(optimizer.momentum * newU)) : max(ofD, ofU)
    let ofP =
      optimizer.learningRate * (rounded(1) * (abs(moved) + ofMoved) + ofMoved)
    return (ofP * (1 + epsilon) + epsilon * (abs(result) + ofP), ofU)
  }

  /// Three steps of `torch.optim.SGD` with numbers of so few digits that nothing rounds: equal to the bit.
  ///
  ///     for momentum, nesterov, decay in [(0, False, 0), (0, False, 0.125), (0.5, False, 0.125), (0.5, True, 0.125)]:
  ///         p = torch.tensor([0.5, -1.25, 2, 0], requires_grad=True)
  ///         o = torch.optim.SGD([p], lr=0.25, momentum=momentum, nesterov=nesterov, weight_decay=decay)
  ///         for g in ([1, -0.5, 0, 2], [-0.25, 0.75, 0, 1], [0.5, 0.5, 0, -3]):
  ///             p.grad = torch.tensor(g, dtype=torch.float32)
  ///             o.step()
  ///         print(p.tolist())
  @Test(
    arguments: [
      (SGD(learningRate: 0.25, momentum: 0), [0.1875, -1.4375, 2, 0]),
      (
        SGD(learningRate: 0.25, momentum: 0, weightDecay: 0.125),
        [0.1555023193359375, -1.3257675170898438, 1.81829833984375, 0.03857421875]
      ),
      (
        SGD(learningRate: 0.25, momentum: 0.5, weightDecay: 0.125),
        [-0.0119781494140625, -1.2820663452148438, 1.74212646484375, -0.44580078125]
      ),
      (
        SGD(learningRate: 0.25, momentum: 0.5, nesterov: true, weightDecay: 0.125),
        [-0.08754539489746094, -1.3469934463500977, 1.6941299438476562, -0.15203857421875]
      ),
    ] as [(SGD, [Float])])
  func stepsAreThoseOfPyTorch(_ optimizer: SGD, _ expected: [Float]) throws {
    let gradients: [[Float]] = [[1, -0.5, 0, 2], [-0.25, 0.75, 0, 1], [0.5, 0.5, 0, -3]]
    let results = try everywhere { place in
      let parameters = try place.input([0.5, -1.25, 2, 0])
      let slots = try optimizer.slots.map { _ in try place.input([0, 0, 0, 0]) }
      for (step, gradient) in gradients.enumerated() {
        place.context.perform(
          optimizer.work(
            OptimizerOperands(parameters: parameters, gradients: try place.input(gradient), slots: slots),
            step: OptimizerStep(number: step + 1), context: place.context))
      }
      return ["p": parameters.array()]
    }
    for (set, outputs) in results { #expect(outputs["p"] == expected, "\(set)") }
  }

  @Test func momentumOfZeroKeepsNothing() {
    #expect(SGD(momentum: 0).slots.isEmpty && SGD().slots == ["momentum"])
  }

  @Test(arguments: [
    (SGD(learningRate: -1), "the learning rate"), (SGD(weightDecay: .nan), "the weight decay"),
    (SGD(momentum: 1), "the momentum"), (SGD(momentum: -0.1), "the momentum"),
    (SGD(momentum: 0, nesterov: true), "the momentum"),
  ])
  func refusesWhatIsOutsideItsRange(_ optimizer: SGD, _ name: String) throws {
    let error = #expect(throws: OptimizerError.self) { try optimizer.check() }
    #expect(error?.name == name)
    try SGD().check()
    try SGD(momentum: 0.9, nesterov: true).check()
  }
}
