import Machine

/// Cuts a text file, whatever its size, into segments of about 256 KiB.
///
/// Text is cut before white space that follows something else: a piece of GPT-2's pattern begins there whatever
/// comes before it, so that the tokens are those of the whole text. Where 16 MiB have no such place they are cut
/// between any two scalars. JSON lines are cut at the ends of lines.
struct TextSegmentReader: ~Copyable {
  private static let size = 256 << 10
  private static let longestText = 16 << 20
  private static let longestLine = 256 << 20

  let source: TextSource
  private let file: FileReader
  /// Read, but not given out.
  private var pending: [UInt8] = []
  private var offset = 0
  private var isAtEnd = false

  init(_ source: TextSource) throws(FormatError) {
    self.source = source
    do { file = try FileReader(path: source.path) } catch { throw .file(error) }
  }

  /// The next segment; nil at the end.
  ///
  /// - Throws: `FormatError`: the file cannot be read, or has a line of JSON of more than 256 MiB.
  mutating func next() throws(FormatError) -> TextSegment? {
    var size = Self.size
    while true {
      try fill(size)
      if pending.isEmpty { return nil }
      if isAtEnd { return take(pending.count) }
      if let end = source.kind == .text ? textEnd() : lineEnd() { return take(end) }
      if source.kind == .text, pending.count >= Self.longestText { return take(scalarEnd()) }
      guard pending.count < Self.longestLine else {
        throw .mismatch(
          path: source.path, field: "the line at byte \(offset)",
          expected: "at most \(Self.longestLine) bytes long", found: "longer")
      }
      size *= 2
    }
  }

  private mutating func fill(_ size: Int) throws(FormatError) {
    guard !isAtEnd, pending.count < size else { return }
    do {
      let wanted = size - pending.count
      isAtEnd = try file.read(appendingTo: &pending, limit: wanted) < wanted
    } catch { throw .file(error) }
  }

  private mutating func take(_ count: Int) -> TextSegment {
    let rest = Array(pending[count...])
    pending.removeLast(pending.count - count)
    let segment = TextSegment(
      source: source, bytes: pending, offset: offset, opensDocument: offset == 0,
      closesDocument: isAtEnd && rest.isEmpty)
    pending = rest
    offset += count
    return segment
  }

  /// The last place before white space and behind something else.
  private func textEnd() -> Int? {
    let text = pending.span
    for index in stride(from: text.count - 1, to: 0, by: -1) {
      if ScalarClass(ascii: text[index]) == .whitespace, text[index] < 0x80,
        Self.classBefore(index, in: text) != .whitespace
      {
        return index
      }
    }
    return nil
  }

  /// The class of the scalar that ends before `index`.
  private static func classBefore(_ index: Int, in text: Span<UInt8>) -> ScalarClass {
    var start = index - 1
    while start > 0, index - start < 4, text[start] & 0xC0 == 0x80 { start -= 1 }
    let (kind, length) = PieceScanner.scalarClass(in: text, at: start)
    // Bytes that do not end a scalar here are no UTF-8.
    return start + length == index ? kind : .other
  }

  private func lineEnd() -> Int? {
    pending.lastIndex(of: 0x0A).map { $0 + 1 }
  }

  /// The last place between two scalars.
  private func scalarEnd() -> Int {
    let count = pending.count
    return (count - 3..<count).last { pending[$0] & 0xC0 != 0x80 } ?? count
  }
}

/// The segments of several files, one after the other.
struct TextSegmentStream: ~Copyable {
  private var sources: ArraySlice<TextSource>
  private var reader: TextSegmentReader?

  init(_ sources: [TextSource]) { self.sources = sources[...] }

  /// The next segments, until they have `byteCount` bytes or are `count`; none at the end.
  ///
  /// - Throws: as `TextSegmentReader` does.
  mutating func next(byteCount: Int, count: Int) throws(FormatError) -> [TextSegment] {
    var (segments, size) = ([TextSegment](), 0)
    while size < byteCount, segments.count < count {
      if let segment = try reader?.next() {
        segments.append(segment)
        size += segment.bytes.count
      } else if let source = sources.popFirst() {
        reader = try TextSegmentReader(source)
      } else {
        break
      }
    }
    return segments
  }
}
