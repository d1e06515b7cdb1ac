import Machine

/// A JSON value, as RFC 8259 has it and no wider.
///
/// Foundation's readers keep one of two members with the same name; where names are those of tensors, both
/// may not be there.
enum JSONValue: Sendable {
  case null
  case boolean(Bool)
  /// A number without fraction or exponent that fits.
  case integer(Int)
  case number(Double)
  case string(String)
  case array([JSONValue])
  case object([String: JSONValue])

  /// The largest text that is read; the header of the largest GPT-2 has a thousandth of it.
  static let largestByteCount = 16 << 20

  /// For errors: "an object".
  var kind: String {
    switch self {
    case .null: "null"
    case .boolean(let value): "\(value)"
    case .integer(let value): "\(value)"
    case .number(let value): "\(value)"
    case .string(let text): "'\(text.shortened)'"
    case .array: "an array"
    case .object: "an object"
    }
  }

  /// Reads the bytes of a file that hold one JSON value, and white space around it.
  ///
  /// - Parameter what: names them in an error, as "the header".
  /// - Throws: `FormatError`; more bytes than `largestByteCount` are refused unread.
  init(_ file: MappedFile, bytes range: Range<Int>, what: String) throws(FormatError) {
    guard range.count <= Self.largestByteCount else {
      throw .mismatch(
        path: file.path, field: what, expected: "at most \(Self.largestByteCount) bytes of JSON",
        found: "\(range.count) bytes")
    }
    let bytes = file.withIntegers(UInt8.self, at: range.lowerBound, count: range.count) { bytes in
      bytes.indices.map { bytes[$0] }
    }
    do { self = try JSONParser.value(of: bytes) } catch {
      let place = "byte \(range.lowerBound + error.offset) in \(what)"
      throw .mismatch(path: file.path, field: place, expected: error.expected, found: error.found)
    }
  }

  /// Reads the file at `path`.
  init(path: String) throws(FormatError) {
    let file = try mapped(path)
    try self.init(file, bytes: 0..<file.byteCount, what: "the JSON")
  }
}

extension String {
  /// At most 100 characters of it: what an error shows of a text from a file.
  var shortened: String { count <= 100 ? self : prefix(100) + "…" }
}
