import JSON
import Machine

/// Hugging Face's `tokenizer.json` of GPT-2's kind: byte-level BPE.
///
///     {"added_tokens": [{"id", "content"}], "normalizer": null,
///      "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "use_regex": true},
///      "model": {"type": "BPE", "vocab": {token: id}, "merges": ["a b"] or [["a", "b"]]}, …}
///
/// What would give other ids than GPT-2's encoder is refused by name; fields of other concerns, such as truncation, are
/// passed over.
///
/// - SeeAlso: github.com/huggingface/tokenizers.
extension Tokenizer {
  init(tokenizerJSON path: String) throws(FormatError) {
    let parts = try TokenizerJSON(path: path)
    let vocabulary = try HuggingFaceVocabulary(parts.vocabulary, added: parts.added, path: path)
    let merges = try vocabulary.merges(parts.merges, path: path)
    self.init(tokens: vocabulary.table.tokens, endOfText: vocabulary.endOfText, scheme: .merges(merges))
  }
}

/// The parts of the file that make ids.
private struct TokenizerJSON {
  private(set) var vocabulary: [(name: String, id: Int)] = []
  private(set) var merges: [(place: String, text: String)] = []
  private(set) var added: [(name: String, id: Int)] = []

  init(path: String) throws(FormatError) {
    var parts = (vocabulary: vocabulary, merges: merges, added: added)
    var problem: (field: String, expected: String, found: String)?
    try JSONCursor.read(path: path) { (cursor) throws(JSONError) in
      try cursor.object { (name, cursor) throws(JSONError) in
        switch name {
        case "model":
          problem = try Self.model(&cursor, &parts.vocabulary, &parts.merges) ?? problem
        case "added_tokens": parts.added = try Self.addedTokens(&cursor)
        case "pre_tokenizer", "normalizer":
          let expected = Self.stages[name, default: [:]]
          problem =
            try Self.difference(name, &cursor, from: expected, orNull: name == "normalizer") ?? problem
        default: try cursor.skip()
        }
      }
    }
    if let problem {
      throw .mismatch(
        path: path, field: problem.field, expected: problem.expected, found: problem.found.shortened)
    }
    (vocabulary, merges, added) = parts
  }

  /// What GPT-2's encoder does before it merges; no normalizer is one.
  private static let stages = [
    "pre_tokenizer": ["type": "ByteLevel", "add_prefix_space": "false", "use_regex": "true"],
    "normalizer": ["type": "none"],
  ]
  private static let modelFields = [
    "type": "BPE", "dropout": "null", "byte_fallback": "false", "ignore_merges": "false",
  ]

  /// The first of a stage's fields that has another value than it must have.
  private static func difference(
    _ stage: String, _ cursor: inout JSONCursor, from expected: [String: String], orNull mayBeNull: Bool
  ) throws(JSONError) -> (String, String, String)? {
    if cursor.peek() == "n" {
      try cursor.word("null")
      return mayBeNull ? nil : (stage, "ByteLevel", "none")
    }
    var problem: (String, String, String)?
    try cursor.object { (name, cursor) throws(JSONError) in
      guard let expected = expected[name] else { return try cursor.skip() }
      let found = try scalar(&cursor)
      if found != expected { problem = problem ?? ("\(name) of \(stage)", expected, found) }
    }
    return problem
  }

  private static func model(
    _ cursor: inout JSONCursor, _ vocabulary: inout [(name: String, id: Int)],
    _ merges: inout [(place: String, text: String)]
  ) throws(JSONError) -> (String, String, String)? {
    var (problem, entries, texts) = ((String, String, String)?.none, vocabulary, merges)
    try cursor.object { (name, cursor) throws(JSONError) in
      switch name {
      case "vocab":
        try cursor.object(distinctNames: false) { (name, cursor) throws(JSONError) in
          entries.append((name, try cursor.integer()))
        }
      case "merges":
        try cursor.array { (cursor) throws(JSONError) in
          texts.append(("merge \(texts.count + 1)", try merge(&cursor)))
        }
      default:
        guard let expected = modelFields[name] else { return try cursor.skip() }
        let found = try scalar(&cursor)
        if found != expected { problem = problem ?? ("\(name) of model", expected, found) }
      }
    }
    (vocabulary, merges) = (entries, texts)
    return problem
  }

  /// A text with a space, or an array of two.
  private static func merge(_ cursor: inout JSONCursor) throws(JSONError) -> String {
    if cursor.peek() == "\"" { return try cursor.string() }
    var parts: [String] = []
    try cursor.array { (cursor) throws(JSONError) in parts.append(try cursor.string()) }
    return parts.joined(separator: " ")
  }

  private static func addedTokens(_ cursor: inout JSONCursor) throws(JSONError) -> [(name: String, id: Int)] {
    var tokens: [(name: String, id: Int)] = []
    try cursor.array { (cursor) throws(JSONError) in
      var (content, id): (String?, Int?) = (nil, nil)
      try cursor.object { (name, cursor) throws(JSONError) in
        switch name {
        case "content": content = try cursor.string()
        case "id": id = try cursor.integer()
        default: try cursor.skip()
        }
      }
      guard let content, let id else {
        throw JSONError(offset: cursor.position, expected: "an id and a content", found: "one without")
      }
      tokens.append((content, id))
    }
    return tokens
  }

  /// A text, or a word or number by its letters.
  private static func scalar(_ cursor: inout JSONCursor) throws(JSONError) -> String {
    switch cursor.peek() {
    case "\"": return try cursor.string()
    case "t", "f", "n":
      let word = ["t": "true", "f": "false"][Character(cursor.peek())] ?? "null"
      try cursor.word(word)
      return word
    case "{", "[":
      try cursor.skip()
      return "several"
    default: return try cursor.number()
    }
  }
}
