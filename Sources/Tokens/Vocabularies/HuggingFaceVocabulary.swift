import JSON
import Machine

extension Tokenizer {
  static let endOfTextName = "<|endoftext|>"

  /// Reads Hugging Face's `vocab.json`, an object of tokens and their ids, and `merges.txt`, a merge a line, both
  /// of which spell bytes as `ByteSpelling` says.
  ///
  /// - Throws: `FormatError`: ids that are not 0..<V, a byte or the end of text without a token, a merge whose
  ///   parts or result are no tokens, are not made by an earlier merge, or come a second time.
  public init(vocabulary vocabularyPath: String, merges mergesPath: String) throws(FormatError) {
    let vocabulary = try HuggingFaceVocabulary(path: vocabularyPath)
    let merges = try vocabulary.merges(path: mergesPath)
    self.init(tokens: vocabulary.tokens, endOfText: vocabulary.endOfText, scheme: .merges(merges))
  }
}

/// A `vocab.json`.
struct HuggingFaceVocabulary {
  /// The bytes of each id.
  let tokens: [[UInt8]]
  let endOfText: Int32
  private let ids: [[UInt8]: Int32]

  init(path: String) throws(FormatError) {
    let entries = try Self.entries(path: path)
    var tokens = [[UInt8]?](repeating: nil, count: entries.count)
    var ids: [[UInt8]: Int32] = [:]
    for (name, id) in entries {
      guard tokens.indices.contains(id), tokens[id] == nil else {
        let problem = tokens.indices.contains(id) ? "\(id), that of another token" : "\(id)"
        throw Self.mismatch(
          path, "the id of '\(name)'", expected: "one of 0..<\(entries.count), each for one token",
          found: problem)
      }
      let bytes = ByteSpelling.bytes(of: name)
      tokens[id] = bytes
      guard ids.updateValue(Int32(id), forKey: bytes) == nil else {
        throw Self.mismatch(path, "the token '\(name)'", expected: "there once", found: "there twice")
      }
    }
    for byte in UInt8.min...UInt8.max where ids[[byte]] == nil {
      throw Self.mismatch(path, "byte \(byte)", expected: "a token", found: "none")
    }
    guard let end = ids[Array(Tokenizer.endOfTextName.utf8)] else {
      throw Self.mismatch(path, Tokenizer.endOfTextName, expected: "a token", found: "none")
    }
    self.tokens = tokens.compactMap { $0 }
    self.ids = ids
    endOfText = end
  }

  /// The members of the object, in their order.
  private static func entries(path: String) throws(FormatError) -> [(name: String, id: Int)] {
    var entries: [(String, Int)] = []
    try JSONCursor.read(path: path) { (cursor) throws(JSONError) in
      // Names are compared below, as bytes: those that Unicode holds for equal are different tokens.
      try cursor.object(distinctNames: false) { (name, cursor) throws(JSONError) in
        entries.append((name, try cursor.integer()))
      }
    }
    return entries
  }

  /// The merges of the file at `path`, in their order.
  func merges(path: String) throws(FormatError) -> [(left: Int32, right: Int32, token: Int32)] {
    var merges: [(left: Int32, right: Int32, token: Int32)] = []
    var seen: Set<UInt64> = []
    // What merges can be made of so far: the bytes, then what they merge into.
    var isMade = tokens.map { $0.count == 1 }
    let lines = try contents(path).split(separator: 0x0A, omittingEmptySubsequences: false)
    for (index, line) in lines.enumerated() {
      let text = String(decoding: line.last == 0x0D ? line.dropLast() : line, as: UTF8.self)
      let isHeading = index == 0 && text.hasPrefix("#version")
      if isHeading || text.isEmpty && index == lines.count - 1 { continue }
      let field = "line \(index + 1)"
      let merge = try merge(text, path, field)
      for part in [merge.left, merge.right] where !isMade[Int(part)] {
        throw Self.mismatch(
          path, field, expected: "made of bytes and results of earlier lines",
          found: "'\(text)', the merge before that of one of its parts")
      }
      guard seen.insert(UInt64(merge.left) << 32 | UInt64(merge.right)).inserted else {
        throw Self.mismatch(path, field, expected: "a new merge", found: "'\(text)' a second time")
      }
      isMade[Int(merge.token)] = true
      merges.append(merge)
    }
    return merges
  }

  private func merge(
    _ text: String, _ path: String, _ field: String
  ) throws(FormatError) -> (left: Int32, right: Int32, token: Int32) {
    let parts = text.split(separator: " ", omittingEmptySubsequences: false)
    guard parts.count == 2, !parts.contains("") else {
      throw Self.mismatch(path, field, expected: "two tokens and a space between", found: "'\(text)'")
    }
    let (left, right) = (ByteSpelling.bytes(of: String(parts[0])), ByteSpelling.bytes(of: String(parts[1])))
    guard let first = ids[left], let second = ids[right], let token = ids[left + right] else {
      throw Self.mismatch(
        path, field, expected: "a merge of two tokens of the vocabulary into a third", found: "'\(text)'")
    }
    return (first, second, token)
  }

  private static func mismatch(
    _ path: String, _ field: String, expected: String, found: String
  ) -> FormatError {
    .mismatch(
      path: path, field: field.withoutControlCharacters, expected: expected,
      found: found.withoutControlCharacters)
  }
}
