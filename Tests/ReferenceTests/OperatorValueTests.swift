import Foundation
import Reference
import TestSupport
import Testing

/// Values that can be had without the code under test: by hand, or from a property of the formula.
@Suite struct OperatorValueTests {
  /// A few operations on values of magnitude ≈ 1, each rounded to 2⁻⁵³.
  let rounding = 16 * 0x1p-53

  @Test func linearByHand() {
    let y = ReferenceLinear.forward(
      [1, 2, 3, 4, 5, 6], weight: [1, 0, -1, 2, 1, 0.5], bias: [10, 20], rows: 2, inputChannels: 3,
      outputChannels: 2)
    #expect(y == [8, 25.5, 8, 36])
    let headless = ReferenceLinear.forward(
      [1, 2], weight: [3, 4] as [Float], bias: nil, rows: 1, inputChannels: 2, outputChannels: 1)
    #expect(headless == [11])
  }

  @Test func layerNormByHand() {
    // Mean 2, variance 4: ρ = 1/√(4 + ε).
    let norm = ReferenceLayerNorm.forward(
      [0, 4, 0, 4], weight: [1, 1, 2, 2], bias: [0, 0, 0, 1], rows: 1, channels: 4, epsilon: 0)
    #expect(norm.output == [-1, 1, -2, 3] && norm.mean == [2] && norm.rstd == [0.5])
    let guarded = ReferenceLayerNorm.forward([3.0, 3], weight: [1, 1], bias: [7, 8], rows: 1, channels: 2)
    #expect(guarded.output == [7, 8], "a constant row is kept finite by ε")
    #expect(abs(guarded.rstd[0] - 1e5.squareRoot()) <= 1e5.squareRoot() * rounding)
  }

  @Test func geluAtClosedForms() {
    // tanh saturates: f(x) = x and 0 exactly; f(0) = 0, f′(0) = 1/2; f(x) − f(−x) = x for every x.
    #expect(ReferenceGELU.tanh.forward([0, 40, -40] as [Double]) == [0, 40, 0])
    #expect(ReferenceGELU.tanh.derivative(0.0) == 0.5)
    for x in stride(from: -3.0, through: 3, by: 0.25) {
      let sum = ReferenceGELU.tanh.value(x) - ReferenceGELU.tanh.value(-x)
      #expect(abs(sum - x) <= 4 * rounding)
    }
    // tanh u = (1 − e^(−2u)) / (1 + e^(−2u)), so that f(x) = x / (1 + e^(−2u)).
    let u = (2 / Double.pi).squareRoot() * 1.044715
    #expect(abs(ReferenceGELU.tanh.value(1.0) - 1 / (1 + exp(-2 * u))) <= rounding)
    // Φ(1) = 0.8413447460685429, φ(1) = 0.24197072451914337.
    #expect(abs(ReferenceGELU.erf.value(1.0) - 0.8413447460685429) <= rounding)
    #expect(abs(ReferenceGELU.erf.value(-1.0) - (0.8413447460685429 - 1)) <= rounding)
    #expect(abs(ReferenceGELU.erf.derivative(1.0) - 1.0833154705876863) <= rounding)
    // The polynomial by hand: 0.5 + 0.35849124 + 0.05037353 + 0.00625.
    #expect(abs(ReferenceGELU.quintic.value(1.0) - 0.91511477) <= rounding)
    #expect(ReferenceGELU.quintic.value(0.0) == 0 && ReferenceGELU.quintic.derivative(0.0) == 0.5)
  }

  @Test func attentionIsCausalAndSumsToOne() {
    let (B, T, C, NH) = (1, 6, 4, 2)
    var random = TestRandom(seed: 11)
    let qkv: [Double] = random.normal(B * T * 3 * C)
    func forward(_ qkv: [Double]) -> ReferenceAttention.Output<Double> {
      ReferenceAttention.forward(qkv, batchSize: B, sequenceLength: T, channels: C, heads: NH)
    }
    let result = forward(qkv)
    for row in 0..<B * NH * T {
      let weights = result.attention[row * T..<(row + 1) * T]
      #expect(abs(weights.reduce(0, +) - 1) <= rounding)
      #expect(weights.dropFirst(row % T + 1).allSatisfy { $0 == 0 })
    }
    // Other tokens from t on leave everything before t the same, to the bit, and change t.
    for t in 1..<T {
      var changed = qkv
      for i in t * 3 * C..<changed.count { changed[i] += 1 }
      let other = forward(changed)
      #expect(Array(other.output[..<(t * C)]) == Array(result.output[..<(t * C)]))
      #expect(Array(other.output[(t * C)...]) != Array(result.output[(t * C)...]))
    }
    // The first token sees only itself: its output is its value.
    #expect(Array(result.output[..<C]) == Array(qkv[2 * C..<3 * C]))
  }

  @Test func attentionByHand() {
    // hs = 4, so the scale is 1/2. q₁·k₀ = 2 ln 3 and q₁·k₁ = 0: the weights are 3/4 and 1/4.
    let q1 = [2 * log(3.0), 0, 0, 0]
    let (k0, v0, v1) = ([1.0, 0, 0, 0], [4.0, 0, 8, 1], [0.0, 4, 8, 1])
    let zeros = [0.0, 0, 0, 0]
    let result = ReferenceAttention.forward(
      zeros + k0 + v0 + q1 + zeros + v1, batchSize: 1, sequenceLength: 2, channels: 4, heads: 1)
    for (actual, expected) in zip(result.output, v0 + [3, 1, 8, 1]) {
      #expect(abs(actual - expected) <= 8 * rounding)
    }
    #expect(abs(result.preattention[2] - log(3.0)) <= rounding)
  }

  @Test func crossEntropyByHand() {
    // Three equal logits: ln 3. One that is ln 2 above two others: p = 1/2. Padding of any value is ignored.
    let result = ReferenceCrossEntropy.forward(
      [5, 5, 5, 99, log(2.0), 0, 0, 99], targets: [2, 0], rows: 2, vocabulary: 3, paddedVocabulary: 4)
    #expect(abs(result.losses[0] - log(3.0)) <= rounding)
    #expect(abs(result.losses[1] - log(2.0)) <= rounding)
    #expect(abs(result.loss - log(6.0) / 2) <= rounding)
    #expect(abs(result.probabilities[..<4].reduce(0, +) - 1) <= rounding)
    #expect(result.probabilities[3] == 0 && result.probabilities[7] == 0)
    // p underflows here, the loss does not.
    let far = ReferenceCrossEntropy.forward(
      [0, 2000.0], targets: [0], rows: 1, vocabulary: 2, paddedVocabulary: 2)
    #expect(far.loss == 2000)
  }

  @Test func adamWByHand() {
    // β₁ = 1/2, β₂ = 3/4, ε = 1, wd = 1/4, lr = 1/2, g = 2 twice.
    // Step 1: m = 1, v = 1, m̂ = 2, v̂ = 4, p = 8 − ½(2/3 + 2) = 20/3.
    // Step 2 (g = 2 again): m̂ = 2, v̂ = 4, p = 20/3 − ½(2/3 + 5/3) = 11/2.
    let optimizer = ReferenceAdamW(
      learningRate: 0.5, beta1: 0.5, beta2: 0.75, epsilon: 1, weightDecay: 0.25)
    var (p, m, v) = ([8.0], [0.0], [0.0])
    optimizer.update(gradients: [2], step: 1, parameters: &p, firstMoment: &m, secondMoment: &v)
    #expect(abs(p[0] - 20.0 / 3) <= 8 * rounding && m == [1] && v == [1])
    optimizer.update(gradients: [2], step: 2, parameters: &p, firstMoment: &m, secondMoment: &v)
    #expect(abs(p[0] - 5.5) <= 8 * rounding && m == [1.5] && v == [1.75])
  }

  @Test func gradientNormByHand() {
    #expect(ReferenceGradientNorm.norm([[3.0, 0], [], [-4, 12]]) == 13)
  }
}
