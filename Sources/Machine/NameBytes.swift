/// Names as bytes: those of files and the arguments of a program need not be UTF-8.
///
/// A byte that is part of no scalar becomes one of 128 private scalars, U+10FE80 to U+10FEFF, whose last eight bits it
/// is; those scalars themselves, should they be in a name, become four such bytes' scalars. So every name has a `String`
/// of its own, which may be put together, taken apart and written to JSON, and the system gets the same bytes back.
extension String {
  private static let rawBytes: ClosedRange<UInt32> = 0x10FE80...0x10FEFF

  /// The name that consists of `bytes`.
  public init(nameBytes bytes: [UInt8]) {
    if let text = String(validating: bytes, as: UTF8.self), !text.hasRawBytes {
      self = text
      return
    }
    var scalars = String.UnicodeScalarView()
    let span = bytes.span
    var position = 0
    while position < span.count {
      let (value, length) = UTF8Scalars.scalar(in: span, at: position)
      if let value, !Self.rawBytes.contains(value), let scalar = Unicode.Scalar(value) {
        scalars.append(scalar)
        position += length
      } else {
        scalars.append(Unicode.Scalar(0x10FE00 + UInt32(span[position])) ?? "\u{FFFD}")
        position += 1
      }
    }
    self = String(scalars)
  }

  /// The bytes of the name; of a text without raw bytes its UTF-8.
  public var nameBytes: [UInt8] {
    guard hasRawBytes else { return Array(utf8) }
    return unicodeScalars.flatMap { scalar -> [UInt8] in
      Self.rawBytes.contains(scalar.value)
        ? [UInt8(truncatingIfNeeded: scalar.value)] : Array(String(scalar).utf8)
    }
  }

  private var hasRawBytes: Bool {
    // All of them begin with these bytes; nearly no name has the first.
    utf8.contains(0xF4) && unicodeScalars.contains { Self.rawBytes.contains($0.value) }
  }

  /// For a C function, terminated. Whoever takes a path from outside refuses one with a zero byte in it.
  var cString: [CChar] { nameBytes.map { CChar(bitPattern: $0) } + [0] }

  /// As people are shown it: one line that steers no terminal. Control characters, and what breaks lines or turns the
  /// direction of writing, are spelt as in C and Swift, bytes that are no UTF-8 as `\xFF`.
  public var shown: String {
    guard unicodeScalars.contains(where: { $0.escape != nil }) else { return self }
    return unicodeScalars.map { $0.escape ?? String($0) }.joined()
  }
}

extension Unicode.Scalar {
  fileprivate var escape: String? {
    switch value {
    case 0x0A: "\\n"
    case 0x0D: "\\r"
    case 0x09: "\\t"
    case 0x20..<0x7F: nil
    case 0...0x7F, 0x10FE80...0x10FEFF: Self.hexadecimal(value & 0xFF)
    case 0x80...0x9F, 0x200E, 0x200F, 0x2028...0x202E, 0x2066...0x2069:
      "\\u{\(String(value, radix: 16, uppercase: true))}"
    default: nil
    }
  }

  private static func hexadecimal(_ byte: UInt32) -> String {
    let digits = String(byte, radix: 16, uppercase: true)
    return "\\x" + (digits.count < 2 ? "0" : "") + digits
  }
}
