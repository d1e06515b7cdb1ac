/// Scalars of UTF-8 bytes that need not be valid.
package enum UTF8Scalars {
  /// The scalar that begins at `position`, and its length in bytes; a byte that begins none is nil of length 1.
  ///
  /// What is valid is Unicode's table 3-7: no overlong forms, no surrogates, nothing above U+10FFFF.
  @inlinable
  package static func scalar(in text: Span<UInt8>, at position: Int) -> (value: UInt32?, length: Int) {
    let first = UInt32(text[position])
    let length: Int
    switch first {
    case 0..<0x80: return (first, 1)
    case 0xC2..<0xE0: length = 2
    case 0xE0..<0xF0: length = 3
    case 0xF0..<0xF5: length = 4
    default: return (nil, 1)
    }
    guard position + length <= text.count else { return (nil, 1) }
    var value = first & (0x7F >> UInt32(length))
    for index in 1..<length {
      let byte = UInt32(text[position + index])
      guard byte & 0xC0 == 0x80 else { return (nil, 1) }
      value = value << 6 | byte & 0x3F
    }
    let isOverlong = length == 3 && value < 0x800 || length == 4 && value < 0x10000
    guard !isOverlong, value < 0xD800 || value > 0xDFFF, value < 0x110000 else { return (nil, 1) }
    return (value, length)
  }

  /// How many bytes are part of no scalar, and where the first of them is.
  @inlinable
  package static func invalidBytes(in text: Span<UInt8>) -> (count: Int, first: Int?) {
    var (count, first, position) = (0, Int?.none, 0)
    while position < text.count {
      if position + 8 <= text.count, text.word(at: position) & 0x8080_8080_8080_8080 == 0 {
        position += 8
        continue
      }
      let (value, length) = scalar(in: text, at: position)
      if value == nil {
        count += 1
        first = first ?? position
      }
      position += length
    }
    return (count, first)
  }
}
