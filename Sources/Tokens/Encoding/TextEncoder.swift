import Machine

/// Turns text into tokens, as GPT-2's own encoder does: the exact inverse of `Tokenizer.decode`.
///
/// Special tokens are not looked for: `<|endoftext|>` in a text is text. Any bytes can be encoded by a vocabulary
/// of merges or of bytes; those that are no UTF-8 count as characters that are neither letters, numbers nor spaces.
///
/// One serves one thread at a time; `copy()` makes more, which share the tables.
public final class TextEncoder {
  public let tokenizer: Tokenizer
  private var scheme: Scheme

  private enum Scheme {
    case pairs(BytePairEncoder)
    case bytes
    /// The token of each scalar up to the last of the vocabulary; −1 for those that have none.
    case characters([Int32])
  }

  /// - Parameter path: what errors call the vocabulary.
  /// - Throws: `FormatError` where a vocabulary in the order of merges is none: a byte without a token, or a token
  ///   that two earlier ones do not merge into.
  /// - Complexity: about 50 ms for GPT-2's 50,257 tokens.
  public init(_ tokenizer: Tokenizer, path: String = "the vocabulary") throws(FormatError) {
    self.tokenizer = tokenizer
    switch tokenizer.scheme {
    case .ranked: scheme = .pairs(BytePairEncoder(tokenizer, try tokenizer.recoveredMerges(path: path)))
    case .merges(let merges): scheme = .pairs(BytePairEncoder(tokenizer, merges))
    case .bytes: scheme = .bytes
    case .characters:
      let scalars = tokenizer.decode(Array(0..<Int32(tokenizer.vocabularySize))).unicodeScalars
      var ids = [Int32](repeating: -1, count: 1 + Int(scalars.map(\.value).max() ?? 0))
      for (token, scalar) in scalars.enumerated() { ids[Int(scalar.value)] = Int32(token) }
      scheme = .characters(ids)
    }
  }

  private init(_ tokenizer: Tokenizer, scheme: Scheme) {
    self.tokenizer = tokenizer
    self.scheme = scheme
  }

  /// Another one for the same vocabulary, for another thread.
  public func copy() -> TextEncoder { TextEncoder(tokenizer, scheme: scheme) }

  /// The tokens of `text`.
  ///
  /// - Throws: `TextError.unknownCharacter`, from a vocabulary of characters alone.
  public func encode(_ text: String) throws(TextError) -> [Int32] {
    try encode(Array(text.utf8))
  }

  /// The tokens of `text`, which need not be UTF-8 but for a vocabulary of characters.
  public func encode(_ text: [UInt8]) throws(TextError) -> [Int32] {
    var tokens: [Int32] = []
    try encode(text.span, into: &tokens)
    return tokens
  }

  /// Appends the tokens of `text`.
  ///
  /// - Throws: as above; `tokens` has then those of the text before the error.
  public func encode(_ text: Span<UInt8>, into tokens: inout [Int32]) throws(TextError) {
    switch scheme {
    case .pairs(var encoder):
      // Taken out meanwhile: with two owners the encoder would be copied by its first change.
      scheme = .bytes
      encoder.encode(text, into: &tokens)
      scheme = .pairs(encoder)
    case .bytes:
      for index in text.indices { tokens.append(Int32(text[index])) }
    case .characters(let ids):
      var position = 0
      while position < text.count {
        let (value, length) = UTF8Scalars.scalar(in: text, at: position)
        guard let value else { throw .invalidUTF8(offset: position, byte: text[position]) }
        let token = value < ids.count ? ids[Int(value)] : -1
        guard token >= 0 else {
          throw .unknownCharacter(offset: position, scalar: Unicode.Scalar(value) ?? "\u{FFFD}")
        }
        tokens.append(token)
        position += length
      }
    }
  }
}

/// Why a text cannot be encoded.
public enum TextError: Error, Equatable, CustomStringConvertible {
  case unknownCharacter(offset: Int, scalar: Unicode.Scalar)
  case invalidUTF8(offset: Int, byte: UInt8)

  public var description: String { "the text should be \(expected), but has \(found(at: 0))." }

  /// What the text should be.
  var expected: String {
    switch self {
    case .unknownCharacter: "of the vocabulary's characters"
    case .invalidUTF8: "UTF-8, as characters are wanted"
    }
  }

  /// What it has instead, where it begins at `start`.
  func found(at start: Int) -> String {
    switch self {
    case .unknownCharacter(let offset, let scalar):
      "U+\(String(scalar.value, radix: 16, uppercase: true)) at byte \(start + offset)"
    case .invalidUTF8(let offset, let byte): "byte \(byte) at byte \(start + offset)"
    }
  }
}

extension BytePairEncoder {
  /// - Precondition: every byte is a token.
  fileprivate init(_ tokenizer: Tokenizer, _ merges: [TokenMerge]) {
    var byteTokens = [Int32](repeating: 0, count: 256)
    for token in 0..<Int32(tokenizer.vocabularySize) {
      if let bytes = tokenizer.bytes(of: token), bytes.count == 1 { byteTokens[Int(bytes[0])] = token }
    }
    var table = MergeTable(capacity: merges.count)
    for (rank, merge) in merges.enumerated() {
      table.insert(merge.left, merge.right, token: merge.token, rank: rank)
    }
    self.init(PieceMerger(byteTokens: byteTokens, merges: table), tokenizer)
  }
}
