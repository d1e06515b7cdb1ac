/// Bytes spelt as printable characters, as Hugging Face's vocabularies do.
///
/// Those of Latin-1 that print spell themselves, the others, in order, are U+0100 and on: a space is Ġ.
///
/// - SeeAlso: github.com/openai/gpt-2, src/encoder.py, `bytes_to_unicode`.
enum ByteSpelling {
  /// The scalar that spells each byte.
  static let scalars: [Unicode.Scalar] = {
    var next: UInt32 = 0x100
    return (UInt8.min...UInt8.max).map { byte in
      switch byte {
      case 0x21...0x7E, 0xA1...0xAC, 0xAE...0xFF: return Unicode.Scalar(byte)
      default:
        defer { next += 1 }
        return Unicode.Scalar(next) ?? "\u{FFFD}"
      }
    }
  }()

  private static let bytes: [UInt32: UInt8] = Dictionary(
    uniqueKeysWithValues: scalars.enumerated().map { ($1.value, UInt8($0)) })

  /// The bytes that `name` spells; its own where a scalar spells none, as in a special token.
  static func bytes(of name: String) -> [UInt8] {
    let spelt = name.unicodeScalars.compactMap { bytes[$0.value] }
    return spelt.count == name.unicodeScalars.count ? spelt : Array(name.utf8)
  }

  /// How a vocabulary spells these bytes, shortened: what an error shows of a token.
  static func name(of token: [UInt8]) -> String {
    var name = String.UnicodeScalarView()
    name.append(contentsOf: token.map { scalars[Int($0)] })
    return String(name).shortened
  }
}
