import JSON
import Machine

/// A vocabulary: the bytes of every token, and how text is turned into tokens (by a `TextEncoder`).
public struct Tokenizer: Sendable {
  /// How text becomes tokens.
  enum Scheme: Sendable {
    /// Byte pairs are merged, those with the smaller result first, as ids are in the order of merges; which ones, has
    /// not been asked yet, and there may be none.
    case ranked
    /// Byte pairs are merged, those that come first in the list first.
    case merges([TokenMerge])
    /// Each byte is the token of its value.
    case bytes
    /// Each scalar is a token; which one, `bytes(of:)` tells.
    case characters
  }

  /// V
  public let vocabularySize: Int
  /// The id of the token between two texts.
  public let endOfText: Int32
  let scheme: Scheme
  private let bytes: [UInt8]
  /// Token i is bytes[offsets[i]..<offsets[i + 1]].
  private let offsets: [Int]

  /// A vocabulary given token by token, ids in the order of merges.
  ///
  /// - Precondition: `endOfText` is one of the tokens.
  public init(tokens: [[UInt8]], endOfText: Int32) {
    self.init(tokens: tokens, endOfText: endOfText, scheme: .ranked)
  }

  /// - Precondition: `endOfText` is one of the tokens.
  init(tokens: [[UInt8]], endOfText: Int32, scheme: Scheme) {
    precondition(tokens.indices.contains(Int(endOfText)), "the end of text should be a token")
    vocabularySize = tokens.count
    self.endOfText = endOfText
    self.scheme = scheme
    bytes = tokens.flatMap { $0 }
    offsets = tokens.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1.count) }
  }

  /// Whether the token between two texts is nothing else; of a vocabulary of characters it is the line feed.
  public var separatesTexts: Bool {
    Self.endOfTextNames.contains { bytes(of: endOfText) == Array($0.utf8) }
  }

  /// The bytes of text that each token is; 0 for the end of text where that is nothing else.
  public var textSizes: [Int] {
    var sizes = (0..<vocabularySize).map { offsets[$0 + 1] - offsets[$0] }
    if separatesTexts { sizes[Int(endOfText)] = 0 }
    return sizes
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

// MARK: - Vocabularies without a file

extension Tokenizer {
  /// A token a byte, whose id is its value, and the end of text, 256.
  public static let bytes = Tokenizer(
    tokens: (0...255).map { [UInt8($0)] } + [Array(endOfTextName.utf8)], endOfText: 256, scheme: .bytes)

  /// A token a scalar, in the order of their values. The line feed, which is always among them, is the end of
  /// text: no other token is added to the characters of the text.
  public static func characters(_ scalars: some Sequence<Unicode.Scalar>) -> Tokenizer {
    let sorted = Set(scalars).union(["\n"]).sorted()
    let end = sorted.firstIndex(of: "\n") ?? 0
    return Tokenizer(
      tokens: sorted.map { Array(String($0).utf8) }, endOfText: Int32(end), scheme: .characters)
  }
}

// MARK: - Files

extension Tokenizer {
  /// Reads a vocabulary, told apart by content:
  /// - llm.c's tokenizer file, version 1 or 2;
  /// - Hugging Face's `vocab.json`, with `merges.txt`, and `added_tokens.json` if there is one, in the same folder;
  /// - Hugging Face's `tokenizer.json`;
  /// - the manifest of a data set (`DataManifest`).
  ///
  /// - Throws: `FormatError`, naming the field that is off.
  public init(path: String) throws(FormatError) {
    let file = try mapped(path)
    guard JSONCursor.opensObject(file) else {
      try self.init(llm: file, path: path)
      return
    }
    switch try JSONFileKind.detect(path: path) {
    case .manifest: self = try DataManifest(path: path).tokenizer()
    case .tokenizer: try self.init(tokenizerJSON: path)
    case .vocabulary, .numbers:
      let folder = Directory.prefix(of: path)
      let added = folder + "added_tokens.json"
      try self.init(
        vocabulary: path, merges: folder + "merges.txt",
        added: FileStatus.kind(at: added) == .regular ? added : nil)
    case nil:
      // What is no JSON is told as such.
      try JSONCursor.read(path: path) { (cursor) throws(JSONError) in try cursor.skip() }
      throw .mismatch(
        path: path, field: "the file", expected: FileMagic.tokenizer.wanted,
        found: "a JSON object of another kind, such as a model's config.json is")
    }
  }
}
