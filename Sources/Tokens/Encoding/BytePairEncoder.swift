import Machine

/// Byte-level byte-pair encoding with a memory for the pieces that it met.
///
/// Words come back: most pieces are found in a table of 2¹⁵ entries of one cache line each, 2 MB in all, where a
/// newer piece takes the place of an older one with the same hash. Others are merged.
struct BytePairEncoder {
  private static let entryBits: UInt64 = 15
  private var merger: PieceMerger
  private var entries: [Entry]
  private let longMerger: LongPieceMerger?

  /// - Parameter tokenizer: the vocabulary that the merger merges into.
  init(_ merger: PieceMerger, _ tokenizer: Tokenizer) {
    self.merger = merger
    longMerger = LongPieceMerger(tokenizer)
    entries = Array(repeating: Entry(), count: 1 << Int(Self.entryBits))
  }

  /// Appends the tokens of `text`.
  mutating func encode(_ text: Span<UInt8>, into tokens: inout [Int32]) {
    var start = 0
    while start < text.count {
      let end = PieceScanner.end(in: text, from: start)
      append(text, start..<end, to: &tokens)
      start = end
    }
  }

  @inline(__always)
  private mutating func append(_ text: Span<UInt8>, _ piece: Range<Int>, to tokens: inout [Int32]) {
    guard piece.count <= Key.longest else { return appendMerged(text, piece, to: &tokens) }
    let key = Key(text, piece)
    let slot = key.hash >> (64 - Self.entryBits)
    let entry = entries[Int(truncatingIfNeeded: slot)]
    guard entry.key == key else {
      merger.merge(text.extracting(piece))
      tokens += merger.tokens
      if let entry = Entry(key, merger.tokens) { entries[Int(truncatingIfNeeded: slot)] = entry }
      return
    }
    tokens.append(entry.tokens[0])
    for index in 1..<Int(entry.count) { tokens.append(entry.tokens[index]) }
  }

  private mutating func appendMerged(_ text: Span<UInt8>, _ piece: Range<Int>, to tokens: inout [Int32]) {
    if piece.count > LongPieceMerger.window, let longMerger {
      return longMerger.merge(text.extracting(piece), by: &merger, into: &tokens)
    }
    // Pieces of a gigabyte are cut: indices have 32 bits.
    for start in stride(from: piece.lowerBound, to: piece.upperBound, by: 1 << 30) {
      merger.merge(text.extracting(start..<min(piece.upperBound, start + 1 << 30)))
      tokens += merger.tokens
    }
  }

  /// A piece of up to 23 bytes: zeros fill it up, and the last byte is its length.
  private struct Key: Equatable {
    static let longest = 23
    var first: UInt64 = 0
    var second: UInt64 = 0
    var third: UInt64 = 0

    init() {}

    @inline(__always)
    init(_ text: Span<UInt8>, _ piece: Range<Int>) {
      let (start, length) = (piece.lowerBound, piece.count)
      guard start + 24 <= text.count else {
        self = Self.bytewise(text, piece)
        return
      }
      first = text.word(at: start)
      if length <= 8 {
        first &= ~0 &>> UInt64(64 - 8 * length)
      } else {
        second = text.word(at: start + 8)
        if length <= 16 {
          second &= ~0 &>> UInt64(128 - 8 * length)
        } else {
          third = text.word(at: start + 16) & ~0 &>> UInt64(192 - 8 * length)
        }
      }
      third |= UInt64(length) << 56
    }

    /// At the end of the text, where whole words would reach beyond.
    private static func bytewise(_ text: Span<UInt8>, _ piece: Range<Int>) -> Key {
      var words: InlineArray<3, UInt64> = [0, 0, UInt64(piece.count) << 56]
      for index in piece {
        let place = index - piece.lowerBound
        words[place / 8] |= UInt64(text[index]) << UInt64(8 * (place % 8))
      }
      var key = Key()
      (key.first, key.second, key.third) = (words[0], words[1], words[2])
      return key
    }

    /// Its upper bits depend on all of the piece's.
    @inline(__always)
    var hash: UInt64 {
      let mixed = first ^ second &* 0x9FB2_1C65_1E98_DF25 ^ third &* 0xD6E8_FEB8_6659_FD93
      return (mixed ^ mixed >> 32) &* 0x9E37_79B9_7F4A_7C15
    }
  }

  /// One cache line.
  private struct Entry {
    static let capacity = 9
    var key = Key()
    /// At least 1, but in the entries of no piece, whose key none has.
    var count: Int32 = 1
    var tokens = InlineArray<9, Int32>(repeating: 0)

    init() {}

    /// nil where there are too many tokens.
    init?(_ key: Key, _ tokens: [Int32]) {
      guard tokens.count <= Self.capacity else { return nil }
      self.key = key
      count = Int32(tokens.count)
      for index in tokens.indices { self.tokens[index] = tokens[index] }
    }
  }
}
