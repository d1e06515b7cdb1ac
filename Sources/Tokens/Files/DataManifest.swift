import JSON
import Machine

/// What `gpt2 tokenize` leaves beside its token files, as `NAME_manifest.json`: which vocabulary the ids are of.
///
///     {"format": "gpt2 token files", "version": 1,
///      "vocabulary": {"kind": "gpt2", "size": 50257, "end_of_text": 50256, "tokenizer": "NAME_tokenizer.bin"},
///      "train": {"tokens": 305260, "files": ["NAME_train.bin"], "file_tokens": [305260]},
///      "val": {"tokens": 32768, "files": ["NAME_val.bin"], "file_tokens": [32768]}}
///
/// A vocabulary of kind "characters" has them as "characters" instead of a tokenizer; one of "bytes" needs neither.
public struct DataManifest: Sendable, Equatable {
  public enum Kind: String, Sendable, CaseIterable {
    case gpt2, bytes, characters
  }

  /// Token files: of training or of validation.
  public struct Part: Sendable, Equatable {
    public var tokens: Int
    /// Names in the manifest's folder.
    public var files: [String]
    /// The tokens of each; nil in older manifests.
    public var fileTokens: [Int]?
  }

  static let format = "gpt2 token files"

  public let path: String
  public let kind: Kind
  /// V
  public let vocabularySize: Int
  public let endOfText: Int
  /// A name in the manifest's folder.
  let tokenizerFile: String?
  let characters: String?
  public let training: Part
  public let validation: Part

  /// Whether the ids of both mean the same, as far as the manifests tell.
  public func hasVocabulary(of other: DataManifest) -> Bool {
    kind == other.kind && vocabularySize == other.vocabularySize && endOfText == other.endOfText
      && characters == other.characters
  }

  /// The vocabulary itself.
  ///
  /// - Throws: `FormatError` where the tokenizer file cannot be read, or is of another vocabulary than the
  ///   manifest says.
  public func tokenizer() throws(FormatError) -> Tokenizer {
    let tokenizer: Tokenizer
    switch kind {
    case .bytes: tokenizer = .bytes
    case .characters: tokenizer = .characters((characters ?? "").unicodeScalars)
    case .gpt2:
      let slash = path.utf8.lastIndex(of: UInt8(ascii: "/"))
      let file = (slash.map { String(path[...$0]) } ?? "") + (tokenizerFile ?? "")
      tokenizer = try Tokenizer(llm: try mapped(file), path: file)
    }
    guard tokenizer.vocabularySize == vocabularySize, Int(tokenizer.endOfText) == endOfText else {
      throw .mismatch(
        path: path, field: "the vocabulary",
        expected: "of \(tokenizer.vocabularySize) tokens with the end of text \(tokenizer.endOfText), as its "
          + (kind == .gpt2 ? "tokenizer file is" : "kind says"),
        found: "of \(vocabularySize) with \(endOfText)")
    }
    return tokenizer
  }

  /// One object and a line feed.
  var json: String {
    var vocabulary: [(String, JSONText)] = [
      ("kind", .text(kind.rawValue)), ("size", .integer(vocabularySize)),
      ("end_of_text", .integer(endOfText)),
    ]
    if let tokenizerFile { vocabulary.append(("tokenizer", .text(tokenizerFile))) }
    if let characters { vocabulary.append(("characters", .text(characters))) }
    func json(_ part: Part) -> JSONText {
      var members: [(String, JSONText)] = [
        ("tokens", .integer(part.tokens)), ("files", .array(part.files.map { .text($0) })),
      ]
      if let tokens = part.fileTokens { members.append(("file_tokens", .array(tokens.map { .integer($0) }))) }
      return .object(members)
    }
    let members: [(String, JSONText)] = [
      ("format", .text(Self.format)), ("version", .integer(1)), ("vocabulary", .object(vocabulary)),
      ("train", json(training)), ("val", json(validation)),
    ]
    return JSONText.object(members).encoded + "\n"
  }
}
