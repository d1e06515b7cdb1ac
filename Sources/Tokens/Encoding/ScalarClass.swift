/// What GPT-2's pattern tells apart: `\p{L}`, `\p{N}`, `\s` and the rest.
///
/// `\s` is Unicode's White_Space, which has U+0085 and U+00A0 in it but neither U+001C...1F nor U+200B. The
/// categories are those of the Swift runtime's version of Unicode; 6.3's are the same, scalar by scalar, as those
/// of the Python module `regex` 2026.5.9, which the pattern was written for.
package enum ScalarClass: UInt8 {
  case other, letter, number, whitespace

  init(ascii byte: UInt8) {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): self = .letter
    case UInt8(ascii: "0")...UInt8(ascii: "9"): self = .number
    case 0x09...0x0D, 0x20: self = .whitespace
    default: self = .other
    }
  }

  package init(_ scalar: Unicode.Scalar) {
    switch scalar.properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: self = .letter
    case .decimalNumber, .letterNumber, .otherNumber: self = .number
    default: self = scalar.properties.isWhitespace ? .whitespace : .other
    }
  }
}

/// The class of every scalar, in pages of 256 of which equal ones are stored once: about 60 KB.
///
/// Asking Unicode.Scalar.Properties takes a search, too slow for every character.
struct ScalarClassTable: Sendable {
  /// Made by the first text that is not ASCII, in about 20 ms.
  static let shared = ScalarClassTable()

  /// Beyond the third plane are no letters, numbers or spaces, only tags, variation selectors and private use.
  private static let limit: UInt32 = 0x40000
  private let pages: [UInt16]
  private let classes: [ScalarClass]

  private init() {
    var (pages, classes) = ([UInt16](), [ScalarClass]())
    var known: [[ScalarClass]: UInt16] = [:]
    for start in stride(from: 0, to: Self.limit, by: 256) {
      let page = (start..<start + 256).map { Unicode.Scalar($0).map { ScalarClass($0) } ?? .other }
      let number = known[page] ?? UInt16(known.count)
      if known[page] == nil {
        known[page] = number
        classes += page
      }
      pages.append(number)
    }
    (self.pages, self.classes) = (pages, classes)
  }

  subscript(_ scalar: UInt32) -> ScalarClass {
    scalar < Self.limit ? classes[Int(pages[Int(scalar >> 8)]) << 8 | Int(scalar & 255)] : .other
  }
}
