import Machine

extension JSONText {
  /// Reads the file at `path`: members keep their order, and numbers their digits.
  ///
  /// - Throws: `FormatError`, as `JSONValue.init(path:)`.
  package init(path: String) throws(FormatError) {
    var text = JSONText.null
    try JSONCursor.read(path: path) { (cursor) throws(JSONError) in text = try cursor.text() }
    self = text
  }
}

extension JSONCursor {
  /// Reads a value of any kind, with all that is in it.
  package mutating func text() throws(JSONError) -> JSONText {
    switch peek() {
    case "{":
      var members: [(String, JSONText)] = []
      try object { (name, cursor) throws(JSONError) in members.append((name, try cursor.text())) }
      return .object(members)
    case "[":
      var values: [JSONText] = []
      try array { (cursor) throws(JSONError) in values.append(try cursor.text()) }
      return .array(values)
    case "\"": return .text(try string())
    case "t":
      try word("true")
      return .boolean(true)
    case "f":
      try word("false")
      return .boolean(false)
    case "n":
      try word("null")
      return .null
    default: return .number(try number())
    }
  }
}
