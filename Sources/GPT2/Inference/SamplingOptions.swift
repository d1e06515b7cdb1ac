/// How the next token is picked from a model's logits.
///
/// In this order: logits of tokens that are there already are divided by the penalty (multiplied where negative), all are
/// divided by the temperature, then the filters leave out tokens: top-k, top-p, min-p. Of the rest one is drawn by its
/// probability.
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

  /// Beyond these a penalty leaves nothing of the logits.
  private static let penalties = 0.01...100

  /// - Throws: `GenerationError.option` for the first that is outside its range.
  public func check() throws(GenerationError) {
    func check(_ name: String, _ value: some CustomStringConvertible, _ isRight: Bool, _ expected: String)
      throws(GenerationError)
    {
      guard isRight else { throw .option(name: name, expected: expected, found: "\(value)") }
    }
    try check("the temperature", temperature, temperature >= 0 && temperature.isFinite, "a number from 0 up")
    try check("top-k", topK, topK >= 0, "a number of tokens, or 0 for all")
    try check("top-p", topP, topP > 0 && topP <= 1, "above 0 and at most 1")
    try check("min-p", minP, minP >= 0 && minP <= 1, "in 0...1")
    try check(
      "the repetition penalty", repetitionPenalty, Self.penalties.contains(repetitionPenalty),
      "in \(Self.penalties.lowerBound)...\(Int(Self.penalties.upperBound))")
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
      "the prompt should have fewer than \(context) tokens, the model's context, but has \(tokens): shorten it, or let "
        + "the context slide."
    case .model(let error): error.description
    }
  }
}
