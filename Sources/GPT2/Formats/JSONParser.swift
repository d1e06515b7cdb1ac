/// Reads JSON by RFC 8259: UTF-8, no comments, no trailing commas, no NaN; members of an object have different
/// names, and nothing lies deeper than `deepest`.
struct JSONParser {
  /// More than any file here needs, and few enough for the stack.
  static let deepest = 64

  private let bytes: [UInt8]
  private var position = 0

  /// The one value that `bytes` hold.
  static func value(of bytes: [UInt8]) throws(JSONError) -> JSONValue {
    var parser = JSONParser(bytes: bytes)
    let value = try parser.value(depth: 0)
    parser.skipSpace()
    guard parser.next == nil else { throw parser.error(expected: "the end") }
    return value
  }

  private init(bytes: [UInt8]) { self.bytes = bytes }

  private var next: UInt8? { position < bytes.count ? bytes[position] : nil }

  private mutating func skipSpace() {
    while let byte = next, byte == 0x20 || (0x09...0x0A).contains(byte) || byte == 0x0D { position += 1 }
  }

  /// Goes past `byte`, where it is next.
  private mutating func take(_ byte: Unicode.Scalar) -> Bool {
    guard next == UInt8(ascii: byte) else { return false }
    position += 1
    return true
  }

  private func error(expected: String) -> JSONError {
    let found =
      switch next {
      case nil: "the end"
      case .some(let byte) where (0x21..<0x7F).contains(byte): "'\(Character(Unicode.Scalar(byte)))'"
      case .some(let byte): "the byte \(byte)"
      }
    return JSONError(offset: position, expected: expected, found: found)
  }

  private mutating func value(depth: Int) throws(JSONError) -> JSONValue {
    skipSpace()
    switch next.map({ Unicode.Scalar($0) }) {
    case "{": return .object(try object(depth: try deeper(depth)))
    case "[": return .array(try array(depth: try deeper(depth)))
    case "\"": return .string(try string())
    case "t": return try word("true", .boolean(true))
    case "f": return try word("false", .boolean(false))
    case "n": return try word("null", .null)
    case .some("0"..."9"), "-": return try number()
    default: throw error(expected: "a JSON value")
    }
  }

  private func deeper(_ depth: Int) throws(JSONError) -> Int {
    guard depth < Self.deepest else { throw error(expected: "at most \(Self.deepest) levels deep") }
    return depth + 1
  }

  private mutating func word(_ word: StaticString, _ value: JSONValue) throws(JSONError) -> JSONValue {
    let expected = "\(word)"
    guard bytes[position...].starts(with: expected.utf8) else { throw error(expected: expected) }
    position += expected.utf8.count
    return value
  }

  private mutating func array(depth: Int) throws(JSONError) -> [JSONValue] {
    position += 1
    var values: [JSONValue] = []
    skipSpace()
    if take("]") { return values }
    repeat {
      values.append(try value(depth: depth))
      skipSpace()
    } while take(",")
    guard take("]") else { throw error(expected: "a comma or the end of the array") }
    return values
  }

  private mutating func object(depth: Int) throws(JSONError) -> [String: JSONValue] {
    position += 1
    var members: [String: JSONValue] = [:]
    skipSpace()
    if take("}") { return members }
    repeat {
      skipSpace()
      let start = position
      guard next == UInt8(ascii: "\"") else { throw error(expected: "a name in quotes") }
      let name = try string()
      skipSpace()
      guard take(":") else { throw error(expected: "a colon") }
      guard members.updateValue(try value(depth: depth), forKey: name) == nil else {
        throw JSONError(
          offset: start, expected: "a name of its own", found: "'\(name.shortened)' a second time")
      }
      skipSpace()
    } while take(",")
    guard take("}") else { throw error(expected: "a comma or the end of the object") }
    return members
  }
}

// MARK: - Numbers

extension JSONParser {
  private mutating func number() throws(JSONError) -> JSONValue {
    let start = position
    _ = take("-")
    if !take("0") { try digits() }
    var isInteger = true
    if take(".") {
      isInteger = false
      try digits()
    }
    if take("e") || take("E") {
      isInteger = false
      if !take("+") { _ = take("-") }
      try digits()
    }
    let text = String(decoding: bytes[start..<position], as: UTF8.self)
    if isInteger, let integer = Int(text) { return .integer(integer) }
    guard let number = Double(text), number.isFinite else {
      throw JSONError(offset: start, expected: "a number that a float64 holds", found: text.shortened)
    }
    return .number(number)
  }

  /// One digit or more.
  private mutating func digits() throws(JSONError) {
    let start = position
    while let byte = next, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) { position += 1 }
    if position == start { throw error(expected: "a digit") }
  }
}

// MARK: - Strings

extension JSONParser {
  private mutating func string() throws(JSONError) -> String {
    position += 1
    var text = ""
    while true {
      let start = position
      while let byte = next, byte >= 0x20, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\") {
        position += 1
      }
      guard let part = String(validating: bytes[start..<position], as: UTF8.self) else {
        throw JSONError(offset: start, expected: "UTF-8", found: "other bytes")
      }
      text += part
      if take("\"") { return text }
      guard take("\\") else { throw error(expected: "a character, or the quote that ends the string") }
      text.unicodeScalars.append(try escaped())
    }
  }

  /// What follows a backslash.
  private mutating func escaped() throws(JSONError) -> Unicode.Scalar {
    let start = position
    let scalar: Unicode.Scalar
    switch next.map({ Unicode.Scalar($0) }) {
    case "\"": scalar = "\""
    case "\\": scalar = "\\"
    case "/": scalar = "/"
    case "b": scalar = "\u{8}"
    case "f": scalar = "\u{C}"
    case "n": scalar = "\n"
    case "r": scalar = "\r"
    case "t": scalar = "\t"
    case "u":
      position += 1
      var code = try hexadecimal()
      // The second half of a pair that stands for a scalar beyond the first 65,536.
      if (0xD800..<0xDC00).contains(code), take("\\"), take("u") {
        let low = try hexadecimal()
        guard (0xDC00..<0xE000).contains(low) else {
          throw JSONError(offset: start, expected: "a pair of surrogates", found: "half of one")
        }
        code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
      }
      guard let scalar = Unicode.Scalar(code) else {
        throw JSONError(offset: start, expected: "a pair of surrogates", found: "half of one")
      }
      return scalar
    default: throw error(expected: "an escape that JSON has")
    }
    position += 1
    return scalar
  }

  /// Four digits.
  private mutating func hexadecimal() throws(JSONError) -> UInt32 {
    var code: UInt32 = 0
    for _ in 0..<4 {
      guard let byte = next, let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
        throw error(expected: "four hexadecimal digits")
      }
      code = code << 4 + UInt32(digit)
      position += 1
    }
    return code
  }
}
