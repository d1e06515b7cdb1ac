import JSON
import Machine

extension Tokenizer {
  static let endOfTextName = "<|endoftext|>"
  /// What the token between two texts is called, the likeliest first; the second is RoBERTa's.
  static let endOfTextNames = [endOfTextName, "</s>"]

  /// Reads Hugging Face's `vocab.json`, an object of tokens and their ids, and `merges.txt`, a merge a line, both
  /// of which spell bytes as `ByteSpelling` says.
  ///
  /// - Parameter added: an `added_tokens.json`: tokens as they are spelt in text, which no merge makes, and their ids.
  /// - Throws: `FormatError`: ids that are not 0..<V, a token that `TokenTable` refuses, a byte or the end of text without
  ///   a token, a merge whose parts or result are no tokens, are not made by an earlier merge, or come a second time, a
  ///   token that no merge makes.
  public init(
    vocabulary vocabularyPath: String, merges mergesPath: String, added addedPath: String? = nil
  ) throws(FormatError) {
    let vocabulary = try HuggingFaceVocabulary(path: vocabularyPath, added: addedPath)
    let merges = try vocabulary.merges(path: mergesPath)
    self.init(tokens: vocabulary.table.tokens, endOfText: vocabulary.endOfText, scheme: .merges(merges))
  }
}

/// A `vocab.json`, or what a `tokenizer.json` has of it.
struct HuggingFaceVocabulary {
  let table: TokenTable
  let endOfText: Int32
  private let path: String
  /// Those that no merge makes, beside the bases.
  private let added: Set<Int>

  init(path: String, added addedPath: String?) throws(FormatError) {
    let added = try addedPath.map { path throws(FormatError) in try Self.entries(path: path) }
    try self.init(try Self.entries(path: path), added: added ?? [], path: path)
  }

  /// - Parameter added: tokens that no merge makes, as they are spelt in text; some may be among the entries, too.
  init(
    _ entries: [(name: String, id: Int)], added: [(name: String, id: Int)], path: String
  ) throws(FormatError) {
    let names = Dictionary(entries.map { ($0.id, $0.name) }) { first, _ in first }
    let entries = entries + added.filter { names[$0.id] != $0.name }
    self.added = Set(added.map(\.id))
    var tokens = [[UInt8]?](repeating: nil, count: entries.count)
    for (name, id) in entries {
      guard tokens.indices.contains(id), tokens[id] == nil else {
        let problem = tokens.indices.contains(id) ? "\(id), that of another token" : "\(id)"
        throw Self.mismatch(
          path, "the id of '\(name.shortened)'", expected: "one of 0..<\(entries.count), each for one token",
          found: problem)
      }
      tokens[id] = self.added.contains(id) ? Array(name.utf8) : ByteSpelling.bytes(of: name)
    }
    table = try TokenTable(tokens.compactMap { $0 }, path: path)
    if let byte = table.missingByte {
      throw Self.mismatch(path, "byte \(byte)", expected: "a token", found: "none")
    }
    guard let end = Tokenizer.endOfTextNames.lazy.compactMap({ [table] in table[Array($0.utf8)] }).first
    else {
      throw Self.mismatch(
        path, Tokenizer.endOfTextNames.joined(separator: " or "), expected: "a token", found: "none")
    }
    endOfText = end
    self.path = path
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
  ///
  /// - Throws: `FormatError` for a line that is none, and where they leave a token unmade that is no base, as those of a
  ///   file that was cut do.
  func merges(path: String) throws(FormatError) -> [TokenMerge] {
    try FileKind.refuse(
      try mapped(path), expected: "a merge a line", of: FileKind.all(but: .merges, .text, .json))
    let lines = try contents(path).split(separator: 0x0A, omittingEmptySubsequences: false)
    var texts: [(place: String, text: String)] = []
    for (index, line) in lines.enumerated() {
      let text = String(decoding: line.last == 0x0D ? line.dropLast() : line, as: UTF8.self)
      let isHeading = index == 0 && text.hasPrefix("#version")
      if isHeading || text.isEmpty && index == lines.count - 1 { continue }
      texts.append(("line \(index + 1)", text))
    }
    return try merges(texts, path: path)
  }

  /// The merges of these texts, in their order.
  ///
  /// - Parameter texts: two tokens and a space between; where each stands, for errors.
  func merges(_ texts: [(place: String, text: String)], path: String) throws(FormatError) -> [TokenMerge] {
    var merges: [TokenMerge] = []
    var seen: Set<UInt64> = []
    // What merges can be made of so far: the bytes, then what they merge into.
    var isMade = table.tokens.map { $0.count == 1 }
    for (field, text) in texts {
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
      // Others never come to be: text is merged piece by piece.
      if table.isWithinPiece(merge.token) { merges.append(merge) }
    }
    try check(isMade, mergesPath: path)
    return merges
  }

  /// Checks that every token is a base or made.
  private func check(_ isMade: [Bool], mergesPath: String) throws(FormatError) {
    let isBase = table.areBases(endOfText: endOfText)
    let missing = table.tokens.indices.filter { !isMade[$0] && !isBase[$0] && !added.contains($0) }
    guard let first = missing.first else { return }
    let others = missing.count > 1 ? ", and \(missing.count - 1) more" : ""
    throw Self.mismatch(
      mergesPath, "the merges",
      expected:
        "those of \(path), one for each token but the bytes, special ones such as \(Tokenizer.endOfTextName) and those of"
        + " an added_tokens.json",
      found: "without that of token \(first), '\(ByteSpelling.name(of: table.tokens[first]))'\(others)")
  }

  private func merge(
    _ text: String, _ path: String, _ field: String
  ) throws(FormatError) -> TokenMerge {
    let parts = text.split(separator: " ", omittingEmptySubsequences: false)
    guard parts.count == 2, !parts.contains("") else {
      throw Self.mismatch(path, field, expected: "two tokens and a space between", found: "'\(text)'")
    }
    let (left, right) = (ByteSpelling.bytes(of: String(parts[0])), ByteSpelling.bytes(of: String(parts[1])))
    guard let first = table[left], let second = table[right], let token = table[left + right],
      token != endOfText
    else {
      throw Self.mismatch(
        path, field, expected: "a merge of two tokens of the vocabulary into a third",
        found: "'\(text.shortened)'")
    }
    return (first, second, token)
  }

  private static func mismatch(
    _ path: String, _ field: String, expected: String, found: String
  ) -> FormatError {
    .mismatch(
      path: path, field: field, expected: expected,
      found: found)
  }
}
