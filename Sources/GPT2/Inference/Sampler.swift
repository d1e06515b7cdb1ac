/// Picks tokens as the original program does.
public enum Sampler {
  /// The first token whose cumulative probability exceeds `coin`; the last where rounding leaves none.
  ///
  ///     p[i] = exp(logit[i] − max) / Σ exp(logit[j] − max)      token = min { i : p[0] + ... + p[i] > coin }
  ///
  /// Exponentials and their sum are in Double, probabilities and the cumulative sum in Float, all in
  /// ascending order with an exponential of our own: the same logits and coin give the same token on every
  /// machine. Logits that are not numbers end in the last token; nothing traps.
  ///
  /// - Parameters:
  ///   - logits: (V), without the padding of the vocabulary, which is thereby never picked.
  ///   - coin: in 0..<1, as `XorshiftGenerator.nextFloat` gives it.
  /// - Precondition: `logits` is not empty.
  /// - Complexity: an exponential a token.
  public static func sample(_ logits: Span<Float>, coin: Float) -> Int {
    precondition(!logits.isEmpty, "there should be a logit to pick")
    var largest = -Float.infinity
    for index in logits.indices { largest = max(largest, logits[index]) }
    var weights: [Double] = []
    weights.reserveCapacity(logits.count)
    var sum = 0.0
    for index in logits.indices {
      let weight = exponential(Double(logits[index] - largest))
      weights.append(weight)
      sum += weight
    }
    var cumulative: Float = 0
    for index in weights.indices {
      cumulative += Float(weights[index] / sum)
      if coin < cumulative { return index }
    }
    return logits.count - 1
  }

  /// eˣ for x ≤ 0: below −700 it gives 0.
  ///
  /// x = n·ln 2 + r with |r| ≤ ln 2 / 2, and e^r by its Taylor series to r¹³ / 13!, whose remainder is below
  /// 5e-18. Only sums and products, each rounded once, so that no machine's library decides the last bit.
  ///
  /// - Accuracy: |error| ≤ 4 ε · eˣ; `SamplerTests` holds it to that.
  package static func exponential(_ x: Double) -> Double {
    if x.isNaN { return x }
    if x < -700 { return 0 }
    let n = (x * 1.442_695_040_888_963_4).rounded()
    // ln 2 in two parts, the upper with 21 trailing zero bits so that n · upper is exact.
    let r = (x - n * 0x1.62e42feep-1) - n * 0x1.a39ef35793c76p-33
    var power = 1.0
    for k in stride(from: 13.0, through: 1, by: -1) { power = 1 + r / k * power }
    return Double(sign: .plus, exponent: Int(n), significand: power)
  }
}
