import Machine
import Operators
import Reference
import TestSupport
import Testing

@Suite struct AdamWTests {
  /// About a vector, the 4096 gradients that the norm sums in single precision, and the 65536 of a task.
  static let counts = [1, 15, 16, 17, 131, 4095, 4096, 4097, 65535, 65536, 65537, 70001]
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
    let results = try everywhere(sharedCount: AdamW.sharedScratchCount(count)) { place in
      let parameters = try place.input(start)
      let zeros = [Float](repeating: 0, count: count)
      let (first, second) = (try place.input(zeros), try place.input(zeros))
      var outputs: Outputs = [:]
      for step in 1...steps {
        let gradient = try place.input(gradients(count, step: step))
        let norm = optimizer.update(
          gradients: gradient, step: step, gradientScale: gradientScale, parameters: parameters,
          firstMoment: first, secondMoment: second, context: place.context)
        #expect(norm == AdamW.norm(of: gradient, context: place.context))
        outputs["norm \(step)"] = [Float(norm), Float(norm - Double(Float(norm)))]
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
        expectNorm(try #require(outputs["norm \(step)"]), of: gradient, "norm \(what)")
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

  /// Σg² in 16 lanes over 4096 gradients, the rest in double, rounded to float once for each task; √ halves that.
  private func expectNorm(_ parts: [Float], of gradients: [Float], _ what: String) {
    let norm = Double(parts[0]) + Double(parts[1])
    let expected = ReferenceGradientNorm.norm([doubles(gradients)])
    let bound = expected * rounded(laneRoundings(min(gradients.count, 4096)) + 1) / 2 + 0x1p-48 * expected
    #expect(abs(norm - expected) <= bound, "\(what): \(norm), expected \(expected)")
  }

  /// The norm of powers of two is exact, and that of the whole does not depend on the scale.
  @Test func normByHand() throws {
    _ = try everywhere(sharedCount: AdamW.sharedScratchCount(70000)) { place in
      #expect(AdamW.norm(of: try place.input([3, -4]), context: place.context) == 5)
      let ones = try place.input([Float](repeating: -0.5, count: 65536 + 4 * 16))
      #expect(AdamW.norm(of: ones, context: place.context) == (0.25 * (65536 + 64)).squareRoot())
      let nothing = try place.input([Float](repeating: 0, count: 131))
      #expect(AdamW.norm(of: nothing, context: place.context) == 0)
      return [:]
    }
  }

  /// One gradient that is no number, wherever it stands, shows in the norm, before and in a step.
  @Test(arguments: [Float.nan, .infinity, -.infinity], [0, 15, 16, 4096, 65536, 65552])
  func nonFiniteGradient(_ value: Float, at index: Int) throws {
    let count = 65553
    var gradients = [Float](repeating: 1e-3, count: count)
    gradients[index] = value
    for set in InstructionSet.available {
      try Pool.withContext(
        set, threads: 2, sequenceLength: 1, sharedCount: AdamW.sharedScratchCount(count)
      ) { context in
        let place = Place(context, edge: .end)
        defer { place.giveBack() }
        let gradient = try place.input(gradients)
        let state = try (0..<3).map { _ in try place.input([Float](repeating: 0, count: count)) }
        #expect(!AdamW.norm(of: gradient, context: context).isFinite)
        let norm = AdamW().update(
          gradients: gradient, step: 1, parameters: state[0], firstMoment: state[1], secondMoment: state[2],
          context: context)
        #expect(!norm.isFinite, "on \(set)")
      }
    }
  }

  /// Clipping to half the norm is a step with half the gradients.
  @Test func gradientScaleScalesTheGradients() throws {
    let count = 131
    var random = TestRandom(seed: 14)
    let (p, g): ([Float], [Float]) = (random.normal(count), random.normal(count))
    _ = try everywhere { place in
      func step(_ gradients: [Float], scale: Double) throws -> (state: [[Float]], norm: Double) {
        let state = try [p, p.map { $0 / 8 }, p.map(abs)].map(place.input)
        let norm = try AdamW(learningRate: 0.1).update(
          gradients: place.input(gradients), step: 4, gradientScale: scale, parameters: state[0],
          firstMoment: state[1], secondMoment: state[2], context: place.context)
        return (state.map { $0.array() }, norm)
      }
      // A half is exact, so the bits are the same.
      let (clipped, halved) = (try step(g, scale: 0.5), try step(g.map { $0 / 2 }, scale: 1))
      #expect(clipped.state == halved.state)
      #expect(clipped.norm == 2 * halved.norm, "the norm is the one before scaling")
      return [:]
    }
  }
}
