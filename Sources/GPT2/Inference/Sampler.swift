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
    return draw(weights(logits), coin: coin)
  }

  /// exp(logit − max) of each; with a temperature exp((logit − max) / temperature).
  static func weights(_ logits: Span<Float>, temperature: Double = 1) -> [Double] {
    var largest = -Float.infinity
    for index in logits.indices { largest = max(largest, logits[index]) }
    var weights = [Double](repeating: 0, count: logits.count)
    if temperature == 1 {
      for index in logits.indices { weights[index] = exponential(Double(logits[index] - largest)) }
    } else {
      for index in logits.indices {
        weights[index] = exponential(Double(logits[index] - largest) / temperature)
      }
    }
    return weights
  }

  /// The first whose cumulative share of the weights exceeds `coin`.
  static func draw(_ weights: [Double], coin: Float) -> Int {
    var sum = 0.0
    for weight in weights { sum += weight }
    var cumulative: Float = 0
    for index in weights.indices {
      cumulative += Float(weights[index] / sum)
      if coin < cumulative { return index }
    }
    return weights.count - 1
  }

  /// eˣ for x ≤ 0: below −700 it gives 0.
  ///
  /// x = n·ln 2 + r with |r| ≤ ln 2 / 2, and e^r by its Taylor series to r¹³ / 13!, whose remainder is below
  /// 5e-18. Only sums, products and quotients, each rounded once, so that no machine's library decides the last bit.
  /// No loop and no call: the compiler sees constants, and quotients by powers of two become products.
  ///
  /// - Accuracy: |error| ≤ 4 ε · eˣ; `SamplerTests` holds it to that.
  @inline(__always)
  package static func exponential(_ x: Double) -> Double {
    if x.isNaN { return x }
    if x < -700 { return 0 }
    // Adding 1.5·2⁵² rounds to the nearest integer, to the even one of two: then the other one if that is below.
    let quotient = x * 1.442_695_040_888_963_4
    let even = (quotient + 0x1.8p52) - 0x1.8p52
    let n = quotient - even == -0.5 ? even - 1 : even
    // ln 2 in two parts, the upper with 21 trailing zero bits so that n · upper is exact.
    let r = (x - n * 0x1.62e42feep-1) - n * 0x1.a39ef35793c76p-33
    var power = 1 + r / 13
    power = 1 + r / 12 * power
    power = 1 + r / 11 * power
    power = 1 + r / 10 * power
    power = 1 + r / 9 * power
    power = 1 + r / 8 * power
    power = 1 + r / 7 * power
    power = 1 + r / 6 * power
    power = 1 + r / 5 * power
    power = 1 + r / 4 * power
    power = 1 + r / 3 * power
    power = 1 + r / 2 * power
    power = 1 + r * power
    // 2ⁿ with n ≥ −1010: both it and the product are normal, and the product is exact.
    return power * Double(bitPattern: UInt64(1023 + Int64(n)) << 52)
  }
}
