import Machine

/// Cuts text into the pieces that byte pairs are merged in, as GPT-2's pattern does:
///
///     's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
///
/// Bytes that are no UTF-8 count as characters that are neither letters, numbers nor white space.
///
/// - SeeAlso: github.com/openai/gpt-2, src/encoder.py.
package enum PieceScanner {
  /// Where the piece that begins at `start` ends.
  ///
  /// - Precondition: `start` is in 0..<text.count.
  @inline(__always)
  package static func end(in text: Span<UInt8>, from start: Int) -> Int {
    var position = start
    var first = text[start]
    if first == UInt8(ascii: "'") {
      let length = contractionLength(in: text, from: start)
      if length > 0 { return start + length }
    } else if first == UInt8(ascii: " "), start + 1 < text.count {
      // Goes with what follows, unless that is white space, too.
      position = start + 1
      first = text[position]
    }
    if isLetter(first) { return letterRunEnd(in: text, from: position) }
    let (kind, _) = scalarClass(in: text, at: position)
    return kind == .whitespace
      ? whitespaceEnd(in: text, from: start) : runEnd(of: kind, in: text, from: position)
  }

  /// The length of 's, 't, 're, 've, 'm, 'll or 'd; 0 where none begins at `start`.
  private static func contractionLength(in text: Span<UInt8>, from start: Int) -> Int {
    guard start + 1 < text.count else { return 0 }
    switch text[start + 1] {
    case UInt8(ascii: "s"), UInt8(ascii: "t"), UInt8(ascii: "m"), UInt8(ascii: "d"): return 2
    case UInt8(ascii: "r"), UInt8(ascii: "v"):
      return start + 2 < text.count && text[start + 2] == UInt8(ascii: "e") ? 3 : 0
    case UInt8(ascii: "l"):
      return start + 2 < text.count && text[start + 2] == UInt8(ascii: "l") ? 3 : 0
    default: return 0
    }
  }

  @inline(__always)
  private static func isLetter(_ byte: UInt8) -> Bool { (byte | 0x20) &- UInt8(ascii: "a") < 26 }

  /// The end of the letters from `start` on: eight at once while they are ASCII.
  @inline(__always)
  private static func letterRunEnd(in text: Span<UInt8>, from start: Int) -> Int {
    var position = start
    while position + 8 <= text.count {
      let others = nonLetters(text.word(at: position))
      position += others.trailingZeroBitCount >> 3
      if others != 0 {
        if text[position] < 0x80 { return position }
        break
      }
    }
    return runEnd(of: .letter, in: text, from: position)
  }

  /// The highest bit of each byte that is no ASCII letter; its trailing zeros, by 8, count the letters before it.
  ///
  /// The lower seven bits of each byte, made lowercase, plus 0x1F reach 0x80 from "a" on, plus 0x05 from beyond
  /// "z" on; no sum carries into the next byte.
  @inline(__always)
  private static func nonLetters(_ word: UInt64) -> UInt64 {
    let low = (word | 0x2020_2020_2020_2020) & 0x7F7F_7F7F_7F7F_7F7F
    let letters = (low &+ 0x1F1F_1F1F_1F1F_1F1F) & ~(low &+ 0x0505_0505_0505_0505) & ~word
    return ~letters & 0x8080_8080_8080_8080
  }

  /// The end of the scalars of one class from `start` on.
  private static func runEnd(of kind: ScalarClass, in text: Span<UInt8>, from start: Int) -> Int {
    var position = start
    while position < text.count {
      let (found, length) = scalarClass(in: text, at: position)
      if found != kind { break }
      position += length
    }
    return position
  }

  /// Of white space that something follows, the last scalar is left to that; alone, it is a piece itself.
  private static func whitespaceEnd(in text: Span<UInt8>, from start: Int) -> Int {
    var (position, last) = (start, start)
    while position < text.count {
      let (kind, length) = scalarClass(in: text, at: position)
      if kind != .whitespace { return last > start ? last : position }
      last = position
      position += length
    }
    return position
  }

  /// The class of the scalar at `position`, and its length in bytes.
  @inline(__always)
  static func scalarClass(in text: Span<UInt8>, at position: Int) -> (ScalarClass, length: Int) {
    let byte = text[position]
    if byte < 0x80 { return (ScalarClass(ascii: byte), 1) }
    let (value, length) = UTF8Scalars.scalar(in: text, at: position)
    return (value.map { ScalarClassTable.shared[$0] } ?? .other, length)
  }
}
