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
  /// In the text, which begins behind a mark.
  private var offset = 0
  private var isAtEnd = false
  /// Where a segment has to end, or as near before it as can be.
  private let cut: Int
  private var isBehindCut = false

  init(_ source: TextSource, cut: Int = .max) throws(FormatError) {
    self.source = source
    self.cut = cut
    file = try writing { () throws(FileError) in
      let file = try FileReader(path: source.path)
      var mark: [UInt8] = []
      _ = try file.read(appendingTo: &mark, limit: source.markSize)
      return file
    }
  }

  /// The next segment; nil at the end.
  ///
  /// - Throws: `FormatError`: the file cannot be read, is no longer what it was when it was found, or has a line of JSON
  ///   of more than 256 MiB.
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
          path: source.path, field: "the line at byte \(source.markSize + offset)",
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
      // One that grows as fast as it is read would have no end.
      let count = source.markSize + offset + pending.count
      if isAtEnd || count > source.version.byteCount {
        try file.checkUnchanged(since: source.version, byteCount: count)
      }
    } catch { throw .file(error) }
  }

  private mutating func take(_ wanted: Int) -> TextSegment {
    let (count, isAtCut) = end(wanted)
    isBehindCut = isBehindCut || count == 0
    if count == 0 { return take(wanted) }
    let rest = Array(pending[count...])
    pending.removeLast(pending.count - count)
    let segment = TextSegment(
      source: source, bytes: pending, offset: offset, opensDocument: offset == 0,
      closesDocument: isAtEnd && rest.isEmpty, isBehindCut: isBehindCut)
    pending = rest
    offset += count
    isBehindCut = isBehindCut || isAtCut
    return segment
  }

  /// Where a segment of `count` bytes ends where the cut may be in it: 0 where all of it is behind that.
  private func end(_ count: Int) -> (count: Int, isAtCut: Bool) {
    guard !isBehindCut, cut <= offset + count else { return (count, false) }
    var end = max(0, cut - offset)
    switch source.kind {
    case .jsonLines:
      // The line in which it is stays whole.
      let feed = pending[max(0, end - 1)..<count].firstIndex(of: 0x0A)
      end = end == 0 ? 0 : feed.map { $0 + 1 } ?? count
    case .text:
      // Neither within a character nor between line feeds, which may be the end of a document.
      while end > 0, end < pending.count,
        pending[end] & 0xC0 == 0x80 || pending[end] == 0x0A && pending[end - 1] == 0x0A
      {
        end -= 1
      }
    }
    return (end, true)
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
  /// In bytes from the start of the next file; negative in those behind it.
  private var cut: Int

  /// - Parameter cut: where a segment has to end, in bytes from the start of all files; nil: anywhere.
  init(_ sources: [TextSource], cut: Int?) {
    self.sources = sources[...]
    self.cut = cut ?? .max
  }

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
        reader = try TextSegmentReader(source, cut: cut)
        if cut < .max { cut -= source.byteCount }
      } else {
        break
      }
    }
    return segments
  }
}
