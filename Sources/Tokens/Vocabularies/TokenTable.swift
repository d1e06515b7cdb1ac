import Machine

/// The tokens of a vocabulary of byte pairs and, by their bytes, their ids.
///
/// The bases, which no merge makes, are the bytes, the end of text, and the tokens whose ids come before all bytes': the
/// special ones of a vocabulary that was made with some.
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
    return tokens.enumerated().map { id, bytes in bytes.count == 1 || id < firstByte || id == endOfText }
  }
}
