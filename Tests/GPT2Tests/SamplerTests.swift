import Foundation
import GPT2
import Testing
import Tokens

@Suite struct SamplerTests {
  @Test func exponentialIsAccurate() {
    var generator = XorshiftGenerator()
    for _ in 0..<10_000 {
      let x = -Double(generator.nextFloat()) * (generator.nextFloat() < 0.5 ? 1 : 700)
      let expected = exp(x)
      #expect(abs(Sampler.exponential(x) - expected) <= 4 * .ulpOfOne * expected, "x = \(x)")
    }
    #expect(Sampler.exponential(0) == 1)
    #expect(Sampler.exponential(-.infinity) == 0)
    #expect(Sampler.exponential(-701) == 0)
    #expect(Sampler.exponential(.nan).isNaN)
  }

  /// The exponential as its formula reads, by the library's rounding and scaling: what speeds it up changes no bit,
  /// halves between two integers included.
  @Test func exponentialHasTheBitsOfItsFormula() {
    func formula(_ x: Double) -> Double {
      let n = (x * 1.442_695_040_888_963_4).rounded()
      let r = (x - n * 0x1.62e42feep-1) - n * 0x1.a39ef35793c76p-33
      var power = 1.0
      for k in stride(from: 13.0, through: 1, by: -1) { power = 1 + r / k * power }
      return Double(sign: .plus, exponent: Int(n), significand: power)
    }
    var generator = XorshiftGenerator(seed: 3)
    var arguments = (0..<100_000).map { _ in
      -Double(generator.nextFloat()) * (generator.nextFloat() < 0.5 ? 20 : 700)
    }
    for half in stride(from: -1009.5, through: -0.5, by: 1) {
      let x = half / 1.442_695_040_888_963_4
      arguments += [x.nextDown, x, x.nextUp]
    }
    arguments += [0, -0.0, -.leastNonzeroMagnitude, -700, (-700.0).nextUp]
    let halves = arguments.count {
      abs(($0 * 1.442_695_040_888_963_4).truncatingRemainder(dividingBy: 1)) == 0.5
    }
    #expect(halves > 100, "some quotients lie halfway")
    let different = arguments.first { Sampler.exponential($0).bitPattern != formula($0).bitPattern }
    #expect(different == nil)
  }

  /// Logits whose probabilities are 1/8, 1/2, 1/8, 1/4, exactly but for the rounding of the logarithms.
  @Test(
    arguments: [
      (0, 0), (0.124, 0), (0.126, 1), (0.624, 1), (0.626, 2), (0.749, 2), (0.751, 3), (0.9999999, 3),
    ] as [(Float, Int)])
  func picksByCumulativeProbability(coin: Float, token: Int) {
    let logits = [1, 4, 1, 2].map { Float(log($0 as Double)) }
    #expect(Sampler.sample(logits.span, coin: coin) == token)
    // Adding a constant to every logit changes no probability.
    #expect(Sampler.sample(logits.map { $0 + 100 }.span, coin: coin) == token)
  }

  @Test func matchesTheOriginalsWalk() {
    var generator = XorshiftGenerator(seed: 7)
    let logits = (0..<500).map { _ in 8 * generator.nextFloat() - 4 }
    let largest = Double(logits.max()!)
    let exponentials = logits.map { exp(Double($0) - largest) }
    let sum = exponentials.reduce(0, +)
    for _ in 0..<500 {
      let coin = generator.nextFloat()
      let token = Sampler.sample(logits.span, coin: coin)
      // 500 Float additions below 1 are off by at most 500 · 2⁻²⁵ from the sums in Double.
      let upper = exponentials[...token].reduce(0, +) / sum
      let lower = exponentials[..<token].reduce(0, +) / sum
      #expect(lower - 1.5e-5 <= Double(coin) && Double(coin) < upper + 1.5e-5)
    }
  }

  @Test func extremesPickWithoutTrapping() {
    let largestCoin: Float = 1 - 0x1p-24
    #expect(Sampler.sample([5].span, coin: largestCoin) == 0)
    #expect(Sampler.sample([-1e30, 1e30, -1e30].span, coin: largestCoin) == 1)
    #expect(Sampler.sample([-.infinity, 0, -.infinity].span, coin: 0) == 1)
    #expect(Sampler.sample([.nan, 0, 0].span, coin: 0.5) == 2)
    #expect(Sampler.sample([0, .infinity, 0].span, coin: 0.5) == 2)
    #expect(Sampler.sample([-.infinity, -.infinity].span, coin: 0.5) == 1)
    // Rounded probabilities of 1/3 may sum to less than the largest coin.
    #expect(Sampler.sample([0, 0, 0].span, coin: largestCoin) == 2)
  }
}
