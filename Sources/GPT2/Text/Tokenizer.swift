import Machine

/// The bytes of every token of a vocabulary: turns ids into text, not text into ids.
///
/// Reads llm.c's tokenizer file:
///
///     256 int32: 20240328, version, V, id of the end of text (version 2), 0...
///     V times: length in one byte, then as many bytes
///
/// Version 1 leaves the end of text out; it is GPT-2's, 50256.
///
/// - SeeAlso: github.com/karpathy/llm.c, train_gpt2.py, `write_tokenizer`.
public struct Tokenizer: Sendable {
  /// V
  public let vocabularySize: Int
  /// The id of the token between two texts.
  public let endOfText: Int32
  private let bytes: [UInt8]
  /// Token i is bytes[offsets[i]..<offsets[i + 1]].
  private let offsets: [Int]

  /// Reads the file at `path`.
  ///
  /// - Throws: `FormatError`, naming the field that is off.
  public init(path: String) throws(FormatError) {
    let file = try mapped(path)
    let header = try LLMHeader(file, path: path, magic: .tokenizer)
    try header.checkVersion([1, 2])
    vocabularySize = header[2]
    let end = header[1] == 1 ? 50256 : header[3]
    // A token takes two bytes at least, so that the file bounds what a header can ask for.
    let largest = (file.byteCount - LLMHeader.byteCount) / 2
    guard (1...max(1, largest)).contains(vocabularySize) else {
      throw header.mismatch(
        "the vocabulary size", expected: "in 1...\(max(1, largest)), as the file's size allows",
        found: "\(vocabularySize)")
    }
    guard (0..<vocabularySize).contains(end) else {
      throw header.mismatch(
        "the id of the end of text", expected: "in 0..<\(vocabularySize)", found: "\(end)")
    }
    endOfText = Int32(end)
    (bytes, offsets) = try Self.tokens(of: file, header: header)
  }

  /// A vocabulary given token by token.
  ///
  /// - Precondition: `endOfText` is one of the tokens.
  public init(tokens: [[UInt8]], endOfText: Int32) {
    precondition(tokens.indices.contains(Int(endOfText)), "the end of text should be a token")
    vocabularySize = tokens.count
    self.endOfText = endOfText
    bytes = tokens.flatMap { $0 }
    offsets = tokens.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1.count) }
  }

  private static func tokens(
    of file: MappedFile, header: LLMHeader
  ) throws(FormatError) -> (bytes: [UInt8], offsets: [Int]) {
    var bytes: [UInt8] = []
    var offsets = [0]
    var position = LLMHeader.byteCount
    for token in 0..<header[2] {
      guard position < file.byteCount else {
        throw header.mismatch(
          "the file", expected: "\(header[2]) tokens long, as its header says",
          found: "truncated after \(token) of them")
      }
      let length = Int(file.read(UInt8.self, at: position))
      guard (1...max(1, file.byteCount - position - 1)).contains(length), position + 1 < file.byteCount else {
        throw header.mismatch(
          "the length of token \(token)",
          expected: "at least 1 and at most the \(file.byteCount - position - 1) bytes that are left",
          found: "\(length)")
      }
      for index in 0..<length { bytes.append(file.read(UInt8.self, at: position + 1 + index)) }
      offsets.append(bytes.count)
      position += 1 + length
    }
    try header.checkSize(file.byteCount, expected: position)
    return (bytes, offsets)
  }

  /// The bytes of a token, which need not be whole characters; nil for an id outside the vocabulary.
  public func bytes(of token: Int32) -> [UInt8]? {
    guard token >= 0, token < vocabularySize else { return nil }
    return Array(bytes[offsets[Int(token)]..<offsets[Int(token) + 1]])
  }

  /// The text of `tokens`. Bytes that are no UTF-8, and ids outside the vocabulary, become U+FFFD.
  public func decode(_ tokens: [Int32]) -> String {
    var bytes: [UInt8] = []
    for token in tokens { bytes += self.bytes(of: token) ?? Array("\u{FFFD}".utf8) }
    return String(decoding: bytes, as: UTF8.self)
  }
}
