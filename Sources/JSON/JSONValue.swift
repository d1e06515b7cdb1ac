import Machine

/// A JSON value as a tree, whose objects have no name twice.
///
/// Foundation's readers keep one of two members with the same name; where names are those of tensors, both
/// may not be there.
package enum JSONValue: Sendable {
  case null
  case boolean(Bool)
  /// A number without fraction or exponent that fits.
  case integer(Int)
  case number(Double)
  case string(String)
  case array([JSONValue])
  case object([String: JSONValue])

  /// The largest text that is read; the header of the largest GPT-2 has a thousandth of it.
  package static let largestByteCount = 16 << 20

  /// For errors: "an object".
  package var kind: String {
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
  package init(_ file: MappedFile, bytes range: Range<Int>, what: String) throws(FormatError) {
    guard range.count <= Self.largestByteCount else {
      throw .mismatch(
        path: file.path, field: what, expected: "at most \(Self.largestByteCount) bytes of JSON",
        found: "\(range.count) bytes")
    }
    let bytes = file.withIntegers(UInt8.self, at: range.lowerBound, count: range.count) { bytes in
      bytes.indices.map { bytes[$0] }
    }
    do {
      var cursor = JSONCursor(bytes)
      self = try cursor.value()
      try cursor.finish()
    } catch {
      let place = "byte \(range.lowerBound + error.offset) in \(what)"
      throw .mismatch(path: file.path, field: place, expected: error.expected, found: error.found)
    }
  }

  /// Reads the file at `path`.
  package init(path: String) throws(FormatError) {
    let file = try mapped(path)
    try FileKind.refuse(file, expected: "a file of JSON", of: FileKind.all(but: .json, .text))
    try self.init(file, bytes: 0..<file.byteCount, what: "the JSON")
  }
}

extension JSONCursor {
  /// Reads a value of any kind, with all that is in it.
  fileprivate mutating func value() throws(JSONError) -> JSONValue {
    switch peek() {
    case "{":
      var members: [String: JSONValue] = [:]
      try object { (name, cursor) throws(JSONError) in members[name] = try cursor.value() }
      return .object(members)
    case "[":
      var values: [JSONValue] = []
      try array { (cursor) throws(JSONError) in values.append(try cursor.value()) }
      return .array(values)
    case "\"": return .string(try string())
    case "t": return try constant("true", .boolean(true))
    case "f": return try constant("false", .boolean(false))
    case "n": return try constant("null", .null)
    default: return try numberValue()
    }
  }

  private mutating func constant(_ name: String, _ value: JSONValue) throws(JSONError) -> JSONValue {
    try word(name)
    return value
  }

  private mutating func numberValue() throws(JSONError) -> JSONValue {
    let start = position
    let text = try number()
    if let integer = Int(text) { return .integer(integer) }
    guard let number = Double(text), number.isFinite else {
      throw JSONError(offset: start, expected: "a number that a float64 holds", found: text.shortened)
    }
    return .number(number)
  }
}
