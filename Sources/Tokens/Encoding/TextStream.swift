/// Text that arrives token by token, given out in whole characters.
///
/// A character may be spread over several tokens; its first bytes wait here for the rest. The strings given
/// out, joined, are the scalars of `Tokenizer.decode` of the same tokens.
public struct TextStream: Sendable {
  private let tokenizer: Tokenizer
  private var pending: [UInt8] = []

  public init(tokenizer: Tokenizer) {
    self.tokenizer = tokenizer
  }

  /// The text that `token` completes; empty while a character is unfinished.
  public mutating func push(_ token: Int32) -> String {
    pending += tokenizer.bytes(of: token) ?? Array("\u{FFFD}".utf8)
    let waiting = Self.unfinishedCount(pending)
    let text = String(decoding: pending.dropLast(waiting), as: UTF8.self)
    pending.removeFirst(pending.count - waiting)
    return text
  }

  /// What is left, an unfinished character as U+FFFD.
  public mutating func finish() -> String {
    defer { pending = [] }
    return String(decoding: pending, as: UTF8.self)
  }

  /// How many bytes at the end open a character without closing it: 0...3.
  private static func unfinishedCount(_ bytes: [UInt8]) -> Int {
    for (index, byte) in bytes.reversed().prefix(3).enumerated() {
      let length =
        switch byte {
        case 0xC2...0xDF: 2
        case 0xE0...0xEF: 3
        case 0xF0...0xF4: 4
        case 0x80...0xBF: 0  // goes on with a character that began before
        default: 1
        }
      if length > 0 { return length > index + 1 ? index + 1 : 0 }
    }
    return 0
  }
}

extension String {
  /// The text without control characters other than line feed, carriage return and tab, so that what a
  /// model writes cannot steer a terminal.
  public var withoutControlCharacters: String {
    var kept = String.UnicodeScalarView()
    kept.append(
      contentsOf: unicodeScalars.lazy.filter { scalar in
        scalar.properties.generalCategory != .control || ["\n", "\r", "\t"].contains(scalar)
      })
    return String(kept)
  }
}
