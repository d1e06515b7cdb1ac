import Machine
import Operators
import Reference
import TestSupport
import Testing

@Suite struct AdamWTests {
  /// About a vector, and about the 65536 elements of a task.
  static let counts = [1, 15, 16, 17, 131, 65535, 65536, 65537, 70001]
  static let optimizers = [
    AdamW(), AdamW(learningRate: 3e-2, beta1: 0.8, beta2: 0.95, epsilon: 1e-5, weightDecay: 0.1),
  ]
  let steps = 3
  let gradientScale = 0.3

  private struct State {
    var parameters, firstMoment, secondMoment: [Float]
  }

  private func gradients(_ count: Int, step: Int) -> [Float] {
    var random = TestRandom(seed: UInt64(20 + step))
    return random.normal(count, deviation: 0.1)
  }

  /// Each step is compared with one of the oracle from the same state, so that errors do not add up.
  @Test(arguments: counts, optimizers.indices) func update(_ count: Int, optimizer index: Int) throws {
    let optimizer = Self.optimizers[index]
    var random = TestRandom(seed: 13)
    let start: [Float] = random.normal(count)
    let results = try everywhere { place in
      let parameters = try place.input(start)
      let zeros = [Float](repeating: 0, count: count)
      let (first, second) = (try place.input(zeros), try place.input(zeros))
      var outputs: Outputs = [:]
      for step in 1...steps {
        let gradient = try place.input(gradients(count, step: step))
        place.context.perform(
          optimizer.work(
            OptimizerOperands(parameters: parameters, gradients: gradient, slots: [first, second]),
            step: OptimizerStep(number: step, gradientScale: gradientScale), context: place.context))
        outputs["p \(step)"] = parameters.array()
        outputs["m \(step)"] = first.array()
        outputs["v \(step)"] = second.array()
      }
      return outputs
    }
    for (set, outputs) in results {
      var state = State(parameters: start, firstMoment: [], secondMoment: [])
      state.firstMoment = [Float](repeating: 0, count: count)
      state.secondMoment = state.firstMoment
      for step in 1...steps {
        let gradient = gradients(count, step: step)
        let expected = Step(optimizer, step, gradient, scale: gradientScale, state)
        state.parameters = try #require(outputs["p \(step)"])
        state.firstMoment = try #require(outputs["m \(step)"])
        state.secondMoment = try #require(outputs["v \(step)"])
        let what = "after step \(step) on \(set)"
        expect(state.parameters, near: expected.p, within: expected.pBound, "p \(what)")
        expect(state.firstMoment, near: expected.m, within: expected.mBound, "m \(what)")
        expect(state.secondMoment, near: expected.v, within: expected.vBound, "v \(what)")
      }
    }
  }

  /// One step of the oracle and what the kernel may lose in it. Every constant is rounded once from double.
  ///
  ///     m = β₁m + (1−β₁)·(s·g)     its terms pass 2 and 5 roundings
  ///     v = β₂v + (1−β₂)·(s·g)²    2 and 8, since s·g is squared; all positive
  ///     √v̂ + ε                     v̂ rounds twice more, of which √ leaves half; √ and + round once each
  ///     p − lr·(m̂/(√v̂ + ε) + wd·p)  m̂ rounds twice, the quotient once, lr and wd once each, two multiply-adds
  private struct Step {
    var p, m, v: [Double]
    var pBound: [Double] = []
    var mBound: [Double] = []
    var vBound: [Double] = []

    init(_ optimizer: AdamW, _ step: Int, _ gradients: [Float], scale: Double, _ state: State) {
      (p, m, v) = (doubles(state.parameters), doubles(state.firstMoment), doubles(state.secondMoment))
      let reference = ReferenceAdamW<Double>(
        learningRate: optimizer.learningRate, beta1: optimizer.beta1, beta2: optimizer.beta2,
        epsilon: optimizer.epsilon, weightDecay: optimizer.weightDecay)
      let scaled = doubles(gradients).map { $0 * scale }
      reference.update(gradients: scaled, step: step, parameters: &p, firstMoment: &m, secondMoment: &v)
      let firstCorrection = 1 - Self.power(optimizer.beta1, step)
      let secondCorrection = 1 - Self.power(optimizer.beta2, step)
      for i in p.indices {
        let old = Double(state.parameters[i])
        let mError =
          rounded(2) * abs(optimizer.beta1 * Double(state.firstMoment[i]))
          + rounded(5) * abs((1 - optimizer.beta1) * scaled[i])
        let vError = rounded(8) * v[i]
        let root = (v[i] / secondCorrection).squareRoot()
        let denominator = root + optimizer.epsilon
        let mean = m[i] / firstCorrection
        let meanError = mError / firstCorrection * (1 + rounded(2)) + rounded(2) * abs(mean)
        // v is off by 8 roundings, v̂ by 10, its root by 5 and its own, the sum by another.
        let ofDenominator = rounded(7)
        let quotient = abs(mean) / denominator
        let quotientError =
          (quotient + meanError / denominator) * (1 + ofDenominator) * (1 + epsilon) - quotient
        let decay = optimizer.weightDecay * old
        let total = abs(mean / denominator + decay)
        let sumError = quotientError + epsilon * abs(decay)
        let totalError = sumError + epsilon * (total + sumError)
        let stepError =
          optimizer.learningRate * (totalError * (1 + epsilon) + epsilon * total)
        pBound.append(stepError + epsilon * (abs(p[i]) + stepError))
        mBound.append(mError)
        vBound.append(vError)
      }
    }

    private static func power(_ base: Double, _ exponent: Int) -> Double {
      (0..<exponent).reduce(1) { product, _ in product * base }
    }
  }

  /// Clipping to half the norm is a step with half the gradients.
  @Test func gradientScaleScalesTheGradients() throws {
    let count = 131
    var random = TestRandom(seed: 14)
    let (p, g): ([Float], [Float]) = (random.normal(count), random.normal(count))
    _ = try everywhere { place in
      func step(_ gradients: [Float], scale: Double) throws -> [[Float]] {
        let state = try [p, p.map { $0 / 8 }, p.map(abs)].map(place.input)
        place.context.perform(
          AdamW(learningRate: 0.1).work(
            OptimizerOperands(
              parameters: state[0], gradients: try place.input(gradients), slots: [state[1], state[2]]),
            step: OptimizerStep(number: 4, gradientScale: scale), context: place.context))
        return state.map { $0.array() }
      }
      // A half is exact, so the bits are the same.
      let (clipped, halved) = (try step(g, scale: 0.5), try step(g.map { $0 / 2 }, scale: 1))
      #expect(clipped == halved)
      return [:]
    }
  }

  /// What the scope of the decay leaves out is updated as without one.
  @Test func uncoveredParametersDoNotDecay() throws {
    var random = TestRandom(seed: 15)
    let (p, g): ([Float], [Float]) = (random.normal(131), random.normal(131))
    _ = try everywhere { place in
      func step(_ optimizer: AdamW, decays: Bool) throws -> [Float] {
        let zeros = [Float](repeating: 0, count: p.count)
        let state = try [p, zeros, zeros].map(place.input)
        place.context.perform(
          optimizer.work(
            OptimizerOperands(
              parameters: state[0], gradients: try place.input(g), slots: [state[1], state[2]]),
            step: OptimizerStep(number: 1, decays: decays), context: place.context))
        return state[0].array()
      }
      let (with, without) = (AdamW(learningRate: 0.1, weightDecay: 0.5), AdamW(learningRate: 0.1))
      let plain = try step(without, decays: true)
      #expect(try step(with, decays: false) == plain)
      #expect(try step(with, decays: true) != plain)
      return [:]
    }
  }
}
