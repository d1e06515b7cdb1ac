import Machine

/// The tokens of a vocabulary of byte pairs and, by their bytes, their ids.
///
/// The bases, which no merge makes, are the bytes and special tokens: the end of text, those whose ids come before all
/// bytes', and those that are more than a piece of text, such as `<|pad|>`, as text is merged piece by piece.
struct TokenTable {
  /// A file that `gpt2 tokenize` leaves beside its tokens could hold no longer one.
  private static let longest = 255

  let tokens: [[UInt8]]
  private let ids: [[UInt8]: Int32]

  /// - Throws: `FormatError` for a token that is empty, has more than 255 bytes or is there twice.
  init(_ tokens: [[UInt8]], path: String) throws(FormatError) {
    var ids: [[UInt8]: Int32] = [:]
    ids.reserveCapacity(tokens.count)
    for (id, bytes) in tokens.enumerated() {
      guard (1...Self.longest).contains(bytes.count) else {
        throw .mismatch(
          path: path, field: "token \(id)", expected: "1 to \(Self.longest) bytes long",
          found: bytes.isEmpty ? "empty" : "\(bytes.count), '\(ByteSpelling.name(of: bytes))'")
      }
      if let first = ids.updateValue(Int32(id), forKey: bytes) {
        throw .mismatch(
          path: path, field: "the token '\(ByteSpelling.name(of: bytes))'", expected: "there once",
          found: "there twice, as \(first) and \(id)")
      }
    }
    self.tokens = tokens
    self.ids = ids
  }

  /// The id of the token with these bytes.
  subscript(_ bytes: [UInt8]) -> Int32? { ids[bytes] }

  /// The first byte without a token.
  var missingByte: UInt8? { (UInt8.min...UInt8.max).first { ids[[$0]] == nil } }

  /// Whether each token is one that no merge has to make.
  func areBases(endOfText: Int32) -> [Bool] {
    let firstByte = (UInt8.min...UInt8.max).compactMap { ids[[$0]] }.min() ?? 0
    return tokens.enumerated().map { id, bytes in
      bytes.count == 1 || id < firstByte || id == endOfText || !isWithinPiece(Int32(id))
    }
  }

  /// Whether a token may be all or a part of a piece of text.
  func isWithinPiece(_ token: Int32) -> Bool {
    let bytes = tokens[Int(token)]
    return PieceScanner.end(in: bytes.span, from: 0) == bytes.count
      // Parts of characters are told apart by what is before them, and 're begins as no other piece does.
      || UTF8Scalars.invalidBytes(in: bytes.span).count > 0
      || bytes.count == 2 && bytes[0] == UInt8(ascii: "'") && "rvl".utf8.contains(bytes[1])
  }
}
