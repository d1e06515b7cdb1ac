import Machine

/// The header of NumPy's `.npy`, version 1 or 2, of one row of integers:
///
///     0x93 "NUMPY", version in two bytes, length of the rest in 2 (version 1) or 4 bytes
///     {'descr': '<u2', 'fortran_order': False, 'shape': (305260,), }, spaces and a line feed
///
/// and the numbers behind it, up to the end of the file.
///
/// - SeeAlso: numpy.org/doc/stable/reference/generated/numpy.lib.format.html
struct NumpyHeader {
  static let magic: [UInt8] = [0x93] + Array("NUMPY".utf8)
  /// NumPy's own are of 128 bytes.
  private static let longest = 1 << 16

  let version: Int
  let type: TokenType
  let count: Int
  /// Where the numbers begin.
  let offset: Int

  static func opens(_ file: MappedFile) -> Bool {
    file.byteCount >= magic.count && magic.indices.allSatisfy { file.read(UInt8.self, at: $0) == magic[$0] }
  }

  /// - Precondition: `opens` the file.
  /// - Throws: `FormatError.mismatch` for another version, type, order or shape, and a file of another size than it says.
  init(_ file: MappedFile) throws(FormatError) {
    func check(
      _ isRight: Bool, _ field: String, _ expected: String, _ found: @autoclosure () -> String
    ) throws(FormatError) {
      if !isRight { throw .mismatch(path: file.path, field: field, expected: expected, found: found()) }
    }
    try check(file.byteCount >= 12, "the file's size", "that of a .npy header", "\(file.byteCount) bytes")
    version = Int(file.read(UInt8.self, at: 6))
    try check([1, 2].contains(version), "the version of the .npy file", "1 or 2", "\(version)")
    let start = version == 1 ? 10 : 12
    let length = version == 1 ? Int(file.read(UInt16.self, at: 8)) : Int(file.read(UInt32.self, at: 8))
    let room = min(Self.longest, file.byteCount - start)
    try check(length <= room, "the length of the header", "at most \(room) bytes", "\(length)")
    offset = start + length

    let fields = try Self.fields(file, at: start, count: length)
    let type = Self.types[fields.type]
    let name = (fields.type.hasPrefix(">") ? "big-endian, " : "") + "'\(fields.type)'"
    try check(type != nil, "the type of the numbers (descr)", "a little-endian integer such as '<u2'", name)
    self.type = type ?? .int32
    try check(!fields.isFortranOrder, "fortran_order", "False", "True")
    let shape = fields.shape.map(String.init).joined(separator: ", ")
    try check(fields.shape.count == 1, "the shape", "that of one row of ids", "(\(shape))")
    count = fields.shape[0]
    let (size, byteCount) = (self.type.size, file.byteCount - offset)
    try check(
      count == byteCount / size && byteCount.isMultiple(of: size), "the file's size",
      "that of the \(count) \(self.type.rawValue) of its header", "\(file.byteCount) bytes")
    // They are read where they lie.
    try check(
      offset.isMultiple(of: size), "the length of the header", "a multiple of the numbers' \(size) bytes",
      "\(offset) bytes")
  }

  private static func fields(
    _ file: MappedFile, at start: Int, count: Int
  ) throws(FormatError) -> NumpyText.Fields {
    var text = NumpyText((start..<start + count).map { file.read(UInt8.self, at: $0) })
    do { return try text.fields() } catch {
      throw .mismatch(
        path: file.path, field: "byte \(start + error.offset) of the header", expected: error.expected,
        found: error.found)
    }
  }

  private static let types: [String: TokenType] = [
    "|u1": .uint8, "|i1": .int8, "<u1": .uint8, "<i1": .int8, "<u2": .uint16, "<i2": .int16, "<u4": .uint32,
    "<i4": .int32, "<u8": .uint64, "<i8": .int64,
  ]
}

/// The dictionary of a `.npy` header, a literal of Python's.
private struct NumpyText {
  struct Fields {
    var type: String
    var isFortranOrder: Bool
    var shape: [Int]
  }

  struct Failure: Error {
    let offset: Int
    let expected: String
    let found: String
  }

  private let bytes: [UInt8]
  private var position = 0

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  /// The three fields, in any order.
  mutating func fields() throws(Failure) -> Fields {
    var type: String?
    var order: Bool?
    var shape: [Int]?
    try take("{")
    while !peek("}") {
      let place = position
      let name = try string()
      try take(":")
      switch name {
      case "descr" where type == nil: type = try string()
      case "fortran_order" where order == nil: order = try boolean()
      case "shape" where shape == nil: shape = try tuple()
      default:
        throw Failure(
          offset: place, expected: "descr, fortran_order and shape, once each", found: "'\(name)'")
      }
      if !peek("}") { try take(",") }
    }
    try take("}")
    skipSpaces()
    guard position == bytes.count else { throw failure("the end") }
    guard let type, let order, let shape else { throw failure("descr, fortran_order and shape before it") }
    return Fields(type: type, isFortranOrder: order, shape: shape)
  }

  private mutating func string() throws(Failure) -> String {
    skipSpaces()
    guard position < bytes.count, [0x27, 0x22].contains(bytes[position]) else {
      throw failure("a text in quotes")
    }
    let start = position + 1
    guard let end = bytes[start...].firstIndex(of: bytes[position]) else { throw failure("a text that ends") }
    position = end + 1
    return String(decoding: bytes[start..<end], as: UTF8.self).shortened
  }

  private mutating func boolean() throws(Failure) -> Bool {
    skipSpaces()
    for (word, value) in [("True", true), ("False", false)] where bytes[position...].starts(with: word.utf8) {
      position += word.utf8.count
      return value
    }
    throw failure("True or False")
  }

  private mutating func tuple() throws(Failure) -> [Int] {
    var numbers: [Int] = []
    try take("(")
    while !peek(")") {
      let digits = bytes[position...].prefix { (0x30...0x39).contains($0) }
      guard let number = Int(String(decoding: digits, as: UTF8.self)) else {
        throw failure("a number of 64 bits")
      }
      numbers.append(number)
      position += digits.count
      // Python 2's long numbers.
      if position < bytes.count, bytes[position] == UInt8(ascii: "L") { position += 1 }
      if !peek(")") { try take(",") }
    }
    try take(")")
    return numbers
  }

  private mutating func take(_ character: Character) throws(Failure) {
    guard peek(character) else { throw failure("'\(character)'") }
    position += 1
  }

  /// Whether `character` is next, spaces apart.
  private mutating func peek(_ character: Character) -> Bool {
    skipSpaces()
    return position < bytes.count && bytes[position] == character.asciiValue
  }

  private mutating func skipSpaces() {
    while position < bytes.count, [0x20, 0x0A].contains(bytes[position]) { position += 1 }
  }

  private func failure(_ expected: String) -> Failure {
    let found = position < bytes.count ? "byte \(bytes[position])" : "the end"
    return Failure(offset: position, expected: expected, found: found)
  }
}
