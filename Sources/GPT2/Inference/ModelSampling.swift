import Machine
import Operators
import Tokens

extension Model {
  /// Continues `prompt` token by token, each picked by `Sampler` from the logits after the last
  /// max T tokens before it.
  ///
  /// - Parameters:
  ///   - prompt: at least one token.
  ///   - length: of the whole, the prompt included.
  ///   - generator: gives one coin a token.
  /// - Returns: the prompt and what follows; the prompt alone where it is as long already.
  /// - Throws: `ModelError`: an empty prompt, a token outside the vocabulary, or memory.
  /// - Complexity: a forward pass over the prompt, then one position a token while the context lasts, after that the
  ///   whole context for every token; in memory of its own: what training left stays.
  public func sample(
    after prompt: [Int32], length: Int, generator: inout XorshiftGenerator
  ) throws(ModelError) -> [Int32] {
    guard prompt.count < length else { return prompt }
    let context = configuration.maximumSequenceLength
    let decoder = try decoder(capacity: length)
    var (tokens, isCached) = (prompt, false)
    while tokens.count < length {
      let logits =
        isCached
        ? try decoder.append([tokens[tokens.count - 1]], to: [0])
        : try decoder.prefill(Array(tokens.suffix(context)))
      let coin = generator.nextFloat()
      tokens.append(Int32(logits.flat.withSpan { Sampler.sample($0, coin: coin) }))
      // The cache holds all but the newest, which has a place in it.
      isCached = tokens.count <= context
    }
    return tokens
  }

  /// As `Configuration.startToken`.
  public func startToken(tokenizer: Tokenizer?) -> Int32 { configuration.startToken(tokenizer: tokenizer) }
}

extension Configuration {
  /// The token that a sample starts from: the tokenizer's end of text, else GPT-2's, else 0: the first of these
  /// that is in the vocabulary.
  public func startToken(tokenizer: Tokenizer?) -> Int32 {
    let candidates = [tokenizer?.endOfText, 50256].compactMap { $0 }
    return candidates.first { Int($0) < vocabularySize } ?? 0
  }
}
