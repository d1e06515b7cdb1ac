import Operators

extension Sampler {
  /// Picks the next token.
  ///
  /// With the options' defaults the token is that of `sample`. Logits that are not numbers are never among the
  /// likeliest; nothing traps.
  ///
  /// - Parameters:
  ///   - logits: (V).
  ///   - tokens: what is there already, for the penalty.
  ///   - coin: in 0..<1; not used where the likeliest is asked for.
  /// - Precondition: the options were checked; `logits` is not empty.
  /// - Complexity: some sweeps over V, an exponential each; nothing is sorted.
  public static func pick(
    _ logits: Span<Float>, after tokens: [Int32], options: SamplingOptions, coin: Float
  ) -> Int {
    precondition(!logits.isEmpty, "there should be a logit to pick")
    var adjusted = [Float](repeating: 0, count: logits.count)
    for index in logits.indices { adjusted[index] = logits[index] }
    if options.repetitionPenalty != 1 { penalise(&adjusted, tokens, Float(options.repetitionPenalty)) }
    if options.temperature == 0 { return likeliest(adjusted.span) }
    let order = adjusted.map(orderedKey)
    if options.topK > 0, options.topK < adjusted.count {
      let kept = Selection(of: order, reaching: Double(options.topK)) { _ in 1 }
      for index in adjusted.indices where !kept.contains(index) { adjusted[index] = -.infinity }
    }
    var weights = weights(adjusted.span, temperature: options.temperature)
    if options.topP < 1 {
      let kept = Selection(of: order, reaching: options.topP * weights.reduce(0, +)) { weights[$0] }
      for index in weights.indices where !kept.contains(index) { weights[index] = 0 }
    }
    // The likeliest weighs 1.
    if options.minP > 0 {
      for index in weights.indices where weights[index] < options.minP { weights[index] = 0 }
    }
    return draw(weights, coin: coin)
  }

  /// The index of the largest logit, the first of several; 0 where none is a number.
  static func likeliest(_ logits: Span<Float>) -> Int {
    var (best, largest) = (0, -Float.infinity)
    for index in logits.indices where logits[index] > largest { (best, largest) = (index, logits[index]) }
    return best
  }

  /// log softmax(logits)[token], in Double.
  ///
  /// - Complexity: an exponential a token.
  public static func logProbability(of token: Int, _ logits: Span<Float>) -> Double {
    var largest = -Float.infinity
    for index in logits.indices { largest = max(largest, logits[index]) }
    var sum = 0.0
    for index in logits.indices { sum += exponential(Double(logits[index] - largest)) }
    return Double(logits[token] - largest) - ElementaryFunctions.log(sum)
  }

  private static func penalise(_ logits: inout [Float], _ tokens: [Int32], _ penalty: Float) {
    for token in Set(tokens) where logits.indices.contains(Int(token)) {
      let logit = logits[Int(token)]
      logits[Int(token)] = logit > 0 ? logit / penalty : logit * penalty
    }
  }

  /// Larger for larger numbers, the same for both zeros, 0 for what is none.
  private static func orderedKey(_ value: Float) -> UInt32 {
    if value.isNaN { return 0 }
    // Makes −0 to 0.
    let bits = (value + 0).bitPattern
    return bits >> 31 == 0 ? bits | 1 << 31 : ~bits
  }
}

/// The fewest of some numbers, largest first and of equals the first, whose weights together reach an amount; all of
/// them where all together do not.
///
/// A digit of the numbers' bits at a time: weights are summed by digit, and the digit in which the amount is reached is
/// looked into. Three sweeps, whatever the numbers are.
private struct Selection {
  private let order: [UInt32]
  /// All above it are kept, none below it.
  private var threshold: UInt32 = 0
  /// Of those equal to it, the last that is kept.
  private var last = -1

  init(of order: [UInt32], reaching amount: Double, weight: (Int) -> Double) {
    self.order = order
    var (mask, above) = (UInt32(0), 0.0)
    for (shift, digits) in [(21, 1 << 11), (10, 1 << 11), (0, 1 << 10)] as [(UInt32, Int)] {
      var sums = [Double](repeating: 0, count: digits)
      for index in order.indices where order[index] & mask == threshold {
        sums[Int(order[index] >> shift) & (digits - 1)] += weight(index)
      }
      var digit = digits - 1
      while digit > 0, above + sums[digit] < amount {
        above += sums[digit]
        digit -= 1
      }
      threshold |= UInt32(digit) << shift
      mask |= UInt32(digits - 1) << shift
    }
    for index in order.indices where order[index] == threshold && above < amount {
      above += weight(index)
      last = index
    }
    if above < amount { last = .max }
  }

  func contains(_ index: Int) -> Bool {
    order[index] > threshold || order[index] == threshold && index <= last
  }
}
