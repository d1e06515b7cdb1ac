/// Makes inputs from a corpus: one to six changes, of the kinds that break parsers.
///
/// An input depends on the seed and its index alone.
struct Mutator {
  let corpus: [[UInt8]]
  let seed: UInt64
  /// No input grows beyond this.
  private static let largest = 16 << 10

  func input(_ index: Int) -> [UInt8] {
    var random = SplitMix(state: seed &+ UInt64(index) &* 0xD1B5_4A32_D192_ED03)
    var bytes = corpus[random.below(corpus.count)]
    // Every other time one change: more of them seldom reach what a parser does last.
    for _ in 0...(random.below(2) == 0 ? 0 : random.below(6)) { change(&bytes, &random) }
    if bytes.count > Self.largest { bytes.removeLast(bytes.count - Self.largest) }
    return bytes
  }

  private func change(_ bytes: inout [UInt8], _ random: inout SplitMix) {
    guard !bytes.isEmpty else {
      bytes = (0..<random.below(16)).map { _ in UInt8(random.below(256)) }
      return
    }
    let place = random.place(in: bytes)
    switch random.below(12) {
    case 0: bytes[place] ^= 1 << UInt8(random.below(8))
    case 1: bytes[place] = UInt8(random.below(256))
    case 2: bytes.removeLast(bytes.count - place)
    case 3: bytes.removeSubrange(place..<min(bytes.count, place + 1 + random.below(16)))
    case 4: bytes.insert(contentsOf: bytes[place..<min(bytes.count, place + 1 + random.below(64))], at: place)
    case 5: splice(&bytes, at: place, &random)
    case 6: tweakInteger(&bytes, width: 4, &random)
    case 7: tweakInteger(&bytes, width: 8, &random)
    case 8: tweakInteger(&bytes, width: 2, &random)
    case 9: bytes.insert(contentsOf: Self.tokens[random.below(Self.tokens.count)], at: place)
    case 10: replaceDigits(&bytes, near: place, &random)
    default: swapRanges(&bytes, &random)
    }
  }

  /// The start of one input and the end of another.
  private func splice(_ bytes: inout [UInt8], at place: Int, _ random: inout SplitMix) {
    let other = corpus[random.below(corpus.count)]
    let start = random.below(other.count + 1)
    bytes.replaceSubrange(place..., with: other[start...])
  }

  /// An aligned little-endian field becomes a little more or less, an extreme or a size of the input.
  private func tweakInteger(_ bytes: inout [UInt8], width: Int, _ random: inout SplitMix) {
    guard bytes.count >= width else { return }
    let offset = random.place(in: bytes[..<(bytes.count - width + 1)]) / width * width
    var value: UInt64 = 0
    for index in 0..<width { value |= UInt64(bytes[offset + index]) << UInt64(8 * index) }
    switch random.below(4) {
    case 0: value &+= UInt64(random.below(9)) &- 4
    case 1: value = UInt64(bytes.count) &+ UInt64(random.below(17)) &- 8
    case 2: value = 1 << UInt64(random.below(64))
    default: value = [0, .max, 1 << 31, (1 << 31) - 1, 1 << 63, (1 << 63) - 1][random.below(6)]
    }
    for index in 0..<width { bytes[offset + index] = UInt8(truncatingIfNeeded: value >> UInt64(8 * index)) }
  }

  /// The next number in digits becomes another one.
  private func replaceDigits(_ bytes: inout [UInt8], near place: Int, _ random: inout SplitMix) {
    let isDigit = { (byte: UInt8) in (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }
    guard let start = bytes[place...].firstIndex(where: isDigit) else { return }
    let end = bytes[start...].firstIndex { !isDigit($0) } ?? bytes.count
    let number = String(decoding: bytes[start..<end], as: UTF8.self)
    let other =
      switch random.below(3) {
      case 0: Int(number).map { "\($0 &+ random.below(9) &- 4)" } ?? "0"
      case 1: "\(random.below(300))"
      default: Self.numbers[random.below(Self.numbers.count)]
      }
    bytes.replaceSubrange(start..<end, with: other.utf8)
  }

  private func swapRanges(_ bytes: inout [UInt8], _ random: inout SplitMix) {
    let (first, second) = (random.place(in: bytes), random.place(in: bytes))
    let count = min(1 + random.below(32), bytes.count - max(first, second))
    for index in 0..<count { bytes.swapAt(first + index, second + index) }
  }

  private static let numbers = [
    "0", "-1", "1e5", "1e999", "0.5", "01", "9223372036854775807", "9223372036854775808",
    "18446744073709551615", "4294967296", "2147483648", "99999999999999999999999999999999",
  ]

  private static let tokens: [[UInt8]] =
    [
      "{", "}", "[", "]", ",", ":", "\"", "\\", "null", "true", "-", "e", ".", " ", "\n", "\\u0000",
      "\\ud800",
      "\\udc00", "{\"\":", "[[[[[[[[", "}}}}", "..", "/", "é", "Ġ", "\u{0}", "/* */", "\"F16\"", "\"BF16\"",
      "\r\n",
    ].map { Array($0.utf8) } + [[0xFF], [0xC3], [0xF0, 0x9F], [0xED, 0xA0, 0x80], [0xEF, 0xBB, 0xBF]]
}

/// Steele, Lea and Flood 2014, doi:10.1145/2660193.2660195: a good generator of a few operations.
struct SplitMix {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }

  /// In 0..<limit; the bias of 2⁻⁶⁴ · limit matters to nobody here.
  mutating func below(_ limit: Int) -> Int { Int(next().multipliedFullWidth(by: UInt64(limit)).high) }

  /// An index of `bytes`, every other time one of the first 64: headers come first.
  mutating func place(in bytes: some RandomAccessCollection<UInt8>) -> Int {
    below(below(2) == 0 ? min(64, bytes.count) : bytes.count)
  }
}
