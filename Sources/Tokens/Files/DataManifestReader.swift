import JSON
import Machine

extension DataManifest {
  /// Reads the file at `path`. Members that it does not know are passed over.
  ///
  /// - Throws: `FormatError`, naming the field that is missing or off.
  public init(path: String) throws(FormatError) {
    var fields = Fields()
    try JSONCursor.read(path: path) { (cursor) throws(JSONError) in
      try cursor.object { (name, cursor) throws(JSONError) in try fields.read(name, &cursor) }
    }
    func required<Value>(_ value: Value?, _ field: String) throws(FormatError) -> Value {
      guard let value else { throw .mismatch(path: path, field: field, expected: "there", found: "missing") }
      return value
    }
    func check(_ isRight: Bool, _ field: String, _ expected: String, _ found: String) throws(FormatError) {
      if !isRight {
        throw .mismatch(
          path: path, field: field, expected: expected, found: found)
      }
    }
    let format = try required(fields.format, "the format")
    try check(format == Self.format, "the format", "'\(Self.format)'", "'\(format)'")
    let version = try required(fields.version, "the version")
    try check(version == 1, "the version", "1", "\(version)")
    let name = try required(fields.kind, "the vocabulary's kind")
    let kind = Kind(rawValue: name)
    try check(kind != nil, "the vocabulary's kind", "gpt2, bytes or characters", "'\(name)'")
    let size = try required(fields.size, "the vocabulary's size")
    try check((1...Int(Int32.max)).contains(size), "the vocabulary's size", "in 1...\(Int32.max)", "\(size)")
    let end = try required(fields.endOfText, "the vocabulary's end_of_text")
    try check((0..<size).contains(end), "the vocabulary's end_of_text", "in 0..<\(size)", "\(end)")
    if kind == .gpt2 {
      let file = try required(fields.tokenizer, "the vocabulary's tokenizer")
      try check(
        !file.isEmpty && !file.utf8.contains(UInt8(ascii: "/")), "the vocabulary's tokenizer",
        "a file's name without a folder", "'\(file)'")
    }
    if kind == .characters { _ = try required(fields.characters, "the vocabulary's characters") }
    self.init(
      path: path, kind: kind ?? .gpt2, vocabularySize: size, endOfText: end, tokenizerFile: fields.tokenizer,
      characters: fields.characters, training: try required(fields.training, "train"),
      validation: try required(fields.validation, "val"))
    for (name, part) in [("train", training), ("val", validation)] {
      guard let tokens = part.fileTokens else { continue }
      try check(
        tokens.count == part.files.count, "\(name)'s file_tokens",
        "one for each of \(part.files.count) files",
        "\(tokens.count)")
    }
  }

  /// What was read so far.
  private struct Fields {
    var format, kind, tokenizer, characters: String?
    var version, size, endOfText: Int?
    var training, validation: Part?

    mutating func read(_ name: String, _ cursor: inout JSONCursor) throws(JSONError) {
      switch name {
      case "format": format = try cursor.string()
      case "version": version = try cursor.integer()
      case "train": training = try Self.part(&cursor)
      case "val": validation = try Self.part(&cursor)
      case "vocabulary":
        try cursor.object { (name, cursor) throws(JSONError) in try readVocabulary(name, &cursor) }
      default: try cursor.skip()
      }
    }

    private mutating func readVocabulary(_ name: String, _ cursor: inout JSONCursor) throws(JSONError) {
      switch name {
      case "kind": kind = try cursor.string()
      case "size": size = try cursor.integer()
      case "end_of_text": endOfText = try cursor.integer()
      case "tokenizer": tokenizer = try cursor.string()
      case "characters": characters = try cursor.string()
      default: try cursor.skip()
      }
    }

    private static func part(_ cursor: inout JSONCursor) throws(JSONError) -> Part {
      var part = Part(tokens: 0, files: [])
      try cursor.object { (name, cursor) throws(JSONError) in
        switch name {
        case "tokens": part.tokens = try cursor.integer()
        case "files":
          try cursor.array { (cursor) throws(JSONError) in part.files.append(try cursor.string()) }
        case "file_tokens":
          var tokens: [Int] = []
          try cursor.array { (cursor) throws(JSONError) in tokens.append(try cursor.integer()) }
          part.fileTokens = tokens
        default: try cursor.skip()
        }
      }
      return part
    }
  }
}
