import Machine

/// Where text is no JSON, or not the JSON that was expected.
package struct JSONError: Error {
  /// Of the byte where it was noticed.
  package let offset: Int
  package let expected: String
  package let found: String

  package init(offset: Int, expected: String, found: String) {
    self.offset = offset
    self.expected = expected
    self.found = found
  }

  /// What is wrong with text that begins at `start` and should be something else, in a sentence that ends "but is".
  package func inside(from start: Int) -> String {
    "none: \(found) at byte \(offset - start) instead of \(expected)"
  }
}

/// Reads JSON from its beginning to its end, building nothing that is not asked for.
///
/// The grammar is RFC 8259's and no wider: UTF-8, no comments, no trailing commas, no NaN. Nothing lies deeper
/// than 64 levels. `JSONValue` builds a tree with it.
package struct JSONCursor {
  /// More than any file here needs, and few enough for the stack: each level is a call.
  private static let deepest = 64

  let bytes: [UInt8]
  package private(set) var position: Int
  private let end: Int
  private let replacesHalfSurrogates: Bool
  private var depth = 0

  /// - Parameter replacingHalfSurrogates: reads an escaped half of a surrogate pair, which texts from elsewhere
  ///   have, as U+FFFD; else it is refused.
  package init(_ bytes: [UInt8], _ range: Range<Int>? = nil, replacingHalfSurrogates: Bool = false) {
    self.bytes = bytes
    replacesHalfSurrogates = replacingHalfSurrogates
    position = range?.lowerBound ?? 0
    end = range?.upperBound ?? bytes.count
  }

  // MARK: - Values

  /// Reads an object; `member` must read, or skip, the value of each name.
  ///
  /// - Parameter distinctNames: refuses a name that comes a second time; else each is handed over.
  package mutating func object(
    distinctNames: Bool = true,
    _ member: (_ name: String, _ cursor: inout JSONCursor) throws(JSONError) -> Void
  ) throws(JSONError) {
    var names: Set<String> = []
    try list(from: "{", to: "}", "an object") { (cursor) throws(JSONError) in
      let start = cursor.position
      var text: [UInt8] = []
      try cursor.string(into: &text, "a name in quotes")
      let name = String(decoding: text, as: UTF8.self)
      if distinctNames, !names.insert(name).inserted {
        throw JSONError(
          offset: start, expected: "a name of its own", found: "'\(name.shortened)' a second time")
      }
      try cursor.expect(":", "a colon")
      try member(name, &cursor)
    }
  }

  /// Reads an array; `element` must read, or skip, each of its values.
  package mutating func array(_ element: (_ cursor: inout JSONCursor) throws(JSONError) -> Void)
    throws(JSONError)
  {
    try list(from: "[", to: "]", "an array", element)
  }

  package mutating func string() throws(JSONError) -> String {
    var text: [UInt8] = []
    try string(into: &text)
    return String(decoding: text, as: UTF8.self)
  }

  /// Appends the UTF-8 of a string.
  package mutating func string(into text: inout [UInt8], _ what: String = "a string") throws(JSONError) {
    try expect("\"", what)
    while true {
      let start = position
      position = Self.plainEnd(in: bytes.span, from: start, to: end)
      text += bytes[start..<position]
      guard position < end else { throw error("the end of the string") }
      switch bytes[position] {
      case UInt8(ascii: "\""):
        position += 1
        return
      case UInt8(ascii: "\\"): try escape(into: &text)
      case 0x80...: try scalar(into: &text)
      default: throw error("a character that is not a control character")
      }
    }
  }

  /// Reads a whole number; one with a fraction or an exponent is refused.
  package mutating func integer() throws(JSONError) -> Int {
    skipSpace()
    let start = position
    let text = try number(orElse: "a whole number")
    guard let value = Int(text) else {
      throw JSONError(offset: start, expected: "a whole number of 64 bits", found: text.shortened)
    }
    return value
  }

  /// The first character of the next value; NUL, which begins none, at the end.
  package mutating func peek() -> Unicode.Scalar {
    skipSpace()
    return Unicode.Scalar(position < end ? bytes[position] : 0)
  }

  /// Reads a value of any kind.
  package mutating func skip() throws(JSONError) {
    switch peek() {
    case "{": try object(distinctNames: false) { (_, cursor) throws(JSONError) in try cursor.skip() }
    case "[": try array { (cursor) throws(JSONError) in try cursor.skip() }
    case "\"":
      var text: [UInt8] = []
      try string(into: &text)
    case "t": try word("true")
    case "f": try word("false")
    case "n": try word("null")
    default: _ = try number()
    }
  }

  /// The text of a number, by the grammar.
  package mutating func number(orElse expected: String = "a JSON value") throws(JSONError) -> String {
    let start = position
    guard position < end, bytes[position] == UInt8(ascii: "-") || isAtDigit else { throw error(expected) }
    _ = take("-")
    if !take("0") { try digits() }
    if take(".") { try digits() }
    if take("e") || take("E") {
      if !take("+") { _ = take("-") }
      try digits()
    }
    return String(decoding: bytes[start..<position], as: UTF8.self)
  }

  /// Reads `word`, which is ASCII.
  package mutating func word(_ word: String) throws(JSONError) {
    guard bytes[position..<end].starts(with: word.utf8) else { throw error(word) }
    position += word.utf8.count
  }

  /// Refuses anything but white space.
  package mutating func finish() throws(JSONError) {
    skipSpace()
    if position < end { throw error("the end") }
  }

  // MARK: - Parts

  private mutating func list(
    from open: Unicode.Scalar, to close: Unicode.Scalar, _ kind: String,
    _ element: (_ cursor: inout JSONCursor) throws(JSONError) -> Void
  ) throws(JSONError) {
    skipSpace()
    guard depth < Self.deepest else { throw error("at most \(Self.deepest) levels deep") }
    try expect(open, kind)
    depth += 1
    defer { depth -= 1 }
    skipSpace()
    if take(close) { return }
    while true {
      skipSpace()
      try element(&self)
      skipSpace()
      if take(close) { return }
      guard take(",") else { throw error("a comma or '\(close)'") }
    }
  }

  private mutating func escape(into text: inout [UInt8]) throws(JSONError) {
    position += 1
    guard position < end else { throw error("an escaped character") }
    let letter = bytes[position]
    let plain: UInt8
    switch letter {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): plain = letter
    case UInt8(ascii: "b"): plain = 0x08
    case UInt8(ascii: "f"): plain = 0x0C
    case UInt8(ascii: "n"): plain = 0x0A
    case UInt8(ascii: "r"): plain = 0x0D
    case UInt8(ascii: "t"): plain = 0x09
    case UInt8(ascii: "u"):
      let start = position
      position += 1
      var value = try fourDigits()
      if (0xD800..<0xDC00).contains(value), let low = lowSurrogate() {
        value = 0x10000 + (value - 0xD800) << 10 + (low - 0xDC00)
      }
      let scalar = Unicode.Scalar(value)
      guard scalar != nil || replacesHalfSurrogates else {
        throw JSONError(offset: start, expected: "a pair of surrogates", found: "half of one")
      }
      text += String(scalar ?? "\u{FFFD}").utf8
      return
    default: throw error("one of \"\\/bfnrtu after a backslash")
    }
    text.append(plain)
    position += 1
  }

  private mutating func fourDigits() throws(JSONError) -> UInt32 {
    var value: UInt32 = 0
    for _ in 0..<4 {
      guard position < end, let digit = Character(Unicode.Scalar(bytes[position])).hexDigitValue else {
        throw error("four hexadecimal digits")
      }
      value = value << 4 | UInt32(digit)
      position += 1
    }
    return value
  }

  /// The second half of a pair, which is read only where it is one.
  private mutating func lowSurrogate() -> UInt32? {
    var ahead = self
    guard ahead.take("\\"), ahead.take("u"), let value = try? ahead.fourDigits(),
      (0xDC00..<0xE000).contains(value)
    else { return nil }
    position = ahead.position
    return value
  }

  private mutating func scalar(into text: inout [UInt8]) throws(JSONError) {
    let (value, length) = UTF8Scalars.scalar(in: bytes.span, at: position)
    guard value != nil, position + length <= end else { throw error("UTF-8") }
    text += bytes[position..<position + length]
    position += length
  }

  private var isAtDigit: Bool {
    position < end && (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(bytes[position])
  }

  private mutating func digits() throws(JSONError) {
    guard isAtDigit else { throw error("a digit") }
    while isAtDigit { position += 1 }
  }

  private mutating func expect(_ scalar: Unicode.Scalar, _ what: String) throws(JSONError) {
    skipSpace()
    guard take(scalar) else { throw error(what) }
  }

  /// Steps over an ASCII character where it is next.
  private mutating func take(_ scalar: Unicode.Scalar) -> Bool {
    guard position < end, UInt32(bytes[position]) == scalar.value else { return false }
    position += 1
    return true
  }

  private mutating func skipSpace() {
    while position < end {
      switch bytes[position] {
      case 0x20, 0x09, 0x0A, 0x0D: position += 1
      default: return
      }
    }
  }

  /// Where the characters end that stand for themselves: of ASCII all but controls, quotes and backslashes.
  private static func plainEnd(in text: Span<UInt8>, from start: Int, to end: Int) -> Int {
    var position = start
    while position < end {
      let byte = text[position]
      if byte < 0x20 || byte >= 0x80 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { break }
      position += 1
    }
    return position
  }

  private func error(_ expected: String) -> JSONError {
    guard position < end else { return JSONError(offset: end, expected: expected, found: "the end") }
    let byte = bytes[position]
    let found = (0x21..<0x7F).contains(byte) ? "'\(Character(Unicode.Scalar(byte)))'" : "byte \(byte)"
    return JSONError(offset: position, expected: expected, found: found)
  }
}
