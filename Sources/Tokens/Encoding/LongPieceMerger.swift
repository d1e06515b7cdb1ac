/// Merges a piece of any length, such as a word of megabytes, with the memory for a part of it, to the tokens that all of
/// it at once would give.
///
/// Of each window the tokens are kept but for the last few, and the next window begins where they end. Tokens of two
/// neighbouring texts are those of both together if the last of the first and the first of the second, merged by
/// themselves, are these two tokens again: the first merge across the border would be one in them, too. That holds where
/// merges only ever make pairs that merge later than they do, which is so if each token has one merge.
///
/// - SeeAlso: Berglund and van der Merwe 2023, arXiv:2309.08715, on tokens that do not depend on what comes later.
struct LongPieceMerger {
  /// Bytes of a window, at least.
  static let window = 1 << 16
  /// Tokens at a window's end that what follows may change.
  private static let loose = 16
  /// The bytes of each token.
  private let lengths: [Int]

  /// nil where a token has several merges.
  init?(_ tokenizer: Tokenizer) {
    if case .merges(let merges) = tokenizer.scheme, Set(merges.map(\.token)).count < merges.count {
      return nil
    }
    lengths = tokenizer.textSizes
  }

  /// Appends the tokens of `piece`.
  func merge(_ piece: Span<UInt8>, by merger: inout PieceMerger, into tokens: inout [Int32]) {
    let first = tokens.count
    var (start, window) = (0, Self.window)
    while start < piece.count {
      let end = min(piece.count, start + window)
      merger.merge(piece.extracting(start..<end))
      let found = merger.tokens
      if tokens.count > first, !isBorder(tokens[tokens.count - 1], found[0], at: start, of: piece, &merger) {
        // Windows grow with every step back, so that in the end one holds what belongs together.
        start -= lengths[Int(tokens.removeLast())]
        window *= 2
        continue
      }
      let kept =
        end == piece.count ? found[...] : found.prefix(max(found.count - Self.loose, found.count / 2, 1))
      tokens += kept
      start += kept.reduce(0) { $0 + lengths[Int($1)] }
    }
  }

  private func isBorder(
    _ left: Int32, _ right: Int32, at border: Int, of piece: Span<UInt8>, _ merger: inout PieceMerger
  ) -> Bool {
    merger.merge(piece.extracting(border - lengths[Int(left)]..<border + lengths[Int(right)]))
    return merger.tokens == [left, right]
  }
}
