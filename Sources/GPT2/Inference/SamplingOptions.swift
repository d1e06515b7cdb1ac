import Operators

/// How the next token is picked from a model's logits.
///
/// In this order: logits of tokens that are there already are divided by the penalty (multiplied where negative), all are
/// divided by the temperature, then the filters leave out tokens; of the rest one is drawn by its probability.
public struct SamplingOptions: Sendable, Equatable {
  /// Below 1 likely tokens become likelier; 0: always the likeliest, the first of several.
  public var temperature = 1.0
  /// Only so many of the likeliest; 0: all.
  public var topK = 0
  /// Only the likeliest whose probabilities together reach this; 1: all.
  ///
  /// - SeeAlso: Holtzman et al. 2019, arXiv:1904.09751.
  public var topP = 1.0
  /// Only those at least this part as likely as the likeliest; 0: all.
  ///
  /// - SeeAlso: Nguyen et al. 2024, arXiv:2407.01082.
  public var minP = 0.0
  /// Above 1 what was there already becomes less likely.
  ///
  /// - SeeAlso: Keskar et al. 2019, arXiv:1909.05858.
  public var repetitionPenalty = 1.0

  public init() {}

  /// - Throws: `GenerationError.option` for the first that is outside its range.
  public func check() throws(GenerationError) {
    func check(_ name: String, _ value: Double, _ isRight: Bool, _ expected: String) throws(GenerationError) {
      guard isRight else { throw .option(name: name, expected: expected, found: "\(value)") }
    }
    try check("the temperature", temperature, temperature >= 0 && temperature.isFinite, "a number from 0 up")
    try check("top-k", Double(topK), topK >= 0, "a number of tokens, or 0 for all")
    try check("top-p", topP, topP > 0 && topP <= 1, "above 0 and at most 1")
    try check("min-p", minP, minP >= 0 && minP <= 1, "in 0...1")
    try check(
      "the repetition penalty", repetitionPenalty, repetitionPenalty > 0 && repetitionPenalty.isFinite,
      "a number above 0")
  }
}

/// Why nothing can be generated: one sentence.
public enum GenerationError: Error, Equatable, CustomStringConvertible {
  case option(name: String, expected: String, found: String)
  case promptTooLong(tokens: Int, context: Int)
  case model(ModelError)

  public var description: String {
    switch self {
    case .option(let name, let expected, let found): "\(name) should be \(expected), but is \(found)."
    case .promptTooLong(let tokens, let context):
      "the prompt should have fewer than \(context) tokens, the model's context, but has \(tokens)."
    case .model(let error): error.description
    }
  }
}

extension Sampler {
  /// Picks the next token.
  ///
  /// With the options' defaults the token is that of `sample`.
  ///
  /// - Parameters:
  ///   - logits: (V).
  ///   - tokens: what is there already, for the penalty.
  ///   - coin: in 0..<1; not used where the likeliest is asked for.
  /// - Precondition: the options were checked.
  /// - Complexity: two sweeps over V; sorts only what may be within top-p.
  public static func pick(
    _ logits: Span<Float>, after tokens: [Int32], options: SamplingOptions, coin: Float
  ) -> Int {
    var adjusted: [Float] = []
    adjusted.reserveCapacity(logits.count)
    for index in logits.indices { adjusted.append(logits[index]) }
    if options.repetitionPenalty != 1 {
      let penalty = Float(options.repetitionPenalty)
      for token in Set(tokens) where adjusted.indices.contains(Int(token)) {
        let logit = adjusted[Int(token)]
        adjusted[Int(token)] = logit > 0 ? logit / penalty : logit * penalty
      }
    }
    if options.temperature == 0 { return likeliest(adjusted.span) }
    if options.temperature != 1 {
      let temperature = Float(options.temperature)
      for index in adjusted.indices { adjusted[index] /= temperature }
    }
    if options.topK > 0, options.topK < adjusted.count { keepLargest(options.topK, &adjusted) }
    if options.topP < 1 { keepNucleus(options.topP, &adjusted) }
    if options.minP > 0 { keepLikely(options.minP, &adjusted) }
    return sample(adjusted.span, coin: coin)
  }

  /// The index of the largest logit, the first of several.
  static func likeliest(_ logits: Span<Float>) -> Int {
    var best = 0
    for index in logits.indices where logits[index] > logits[best] { best = index }
    return best
  }

  /// log softmax(logits)[token], in Double.
  public static func logProbability(of token: Int, _ logits: Span<Float>) -> Double {
    var largest = -Float.infinity
    for index in logits.indices { largest = max(largest, logits[index]) }
    var sum = 0.0
    for index in logits.indices { sum += exponential(Double(logits[index] - largest)) }
    return Double(logits[token] - largest) - ElementaryFunctions.log(sum)
  }

  /// What is left out can no longer be picked.
  private static func keepLargest(_ count: Int, _ logits: inout [Float]) {
    // The count-th largest, then as many of its equals as there is room for, first ones first.
    let threshold = logits.sorted(by: >)[count - 1]
    var room = count - logits.count { $0 > threshold }
    for index in logits.indices {
      if logits[index] < threshold { logits[index] = -.infinity }
      if logits[index] == threshold {
        if room <= 0 { logits[index] = -.infinity }
        room -= 1
      }
    }
  }

  private static func keepNucleus(_ probability: Double, _ logits: inout [Float]) {
    let largest = logits.max() ?? 0
    let weights = logits.map { exponential(Double($0 - largest)) }
    let total = weights.reduce(0, +)
    // All tokens below this together do not make up what may be left out.
    let least = (1 - probability) / Double(logits.count) * total
    let candidates = weights.indices.filter { weights[$0] >= least }
      .sorted { (weights[$0], $1) > (weights[$1], $0) }
    var (sum, kept) = (0.0, Set<Int>())
    for index in candidates {
      if sum >= probability * total { break }
      sum += weights[index]
      kept.insert(index)
    }
    for index in logits.indices where !kept.contains(index) { logits[index] = -.infinity }
  }

  private static func keepLikely(_ part: Double, _ logits: inout [Float]) {
    let largest = logits.max() ?? 0
    for index in logits.indices where exponential(Double(logits[index] - largest)) < part {
      logits[index] = -.infinity
    }
  }
}
