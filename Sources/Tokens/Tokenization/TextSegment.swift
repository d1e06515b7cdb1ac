import JSON
import Machine

/// A part of a text file that can be tokenized by itself.
///
/// Written by one thread at a time: its reader, one task, its writer.
final class TextSegment {
  let source: TextSource
  let bytes: [UInt8]
  /// Where in the text it begins.
  let offset: Int
  /// Whether its first byte is the first of a document, and its last the last.
  let opensDocument, closesDocument: Bool
  /// Whether it comes after where the text was to be cut.
  let isBehindCut: Bool

  // What a task finds out.
  var tokens: [Int32] = []
  var documents = 0
  var lines = 0
  var invalidBytes = 0
  var problem: Problem?

  /// What is wrong, on which line of the segment where it has lines.
  struct Problem {
    var line: Int?
    var expected: String
    var found: String
  }

  init(
    source: TextSource, bytes: [UInt8], offset: Int, opensDocument: Bool, closesDocument: Bool,
    isBehindCut: Bool
  ) {
    self.source = source
    self.bytes = bytes
    self.offset = offset
    self.opensDocument = opensDocument
    self.closesDocument = closesDocument
    self.isBehindCut = isBehindCut
  }

  /// Calls `body` with each part of a document, in order; an empty document has none.
  ///
  /// Stops at the first `TextError` and keeps it, as it keeps what is wrong with a line of JSON.
  func forEachPart(
    splitsAtBlankLines: Bool,
    _ body: (_ text: Span<UInt8>, _ opens: Bool, _ closes: Bool) throws(TextError) -> Void
  ) {
    switch source.kind {
    case .jsonLines: forEachLine { text throws(TextError) in try body(text, true, true) }
    case .text:
      let ends = splitsAtBlankLines ? blankLineEnds() : [bytes.count]
      // Of its own: a span of a property lives only for a call.
      let bytes = bytes
      let text = bytes.span
      var start = 0
      for end in ends where end > start {
        let opens = start > 0 || opensDocument
        if opens { documents += 1 }
        let closes = end < bytes.count || closesDocument
        do { try body(text.extracting(start..<end), opens, closes) } catch {
          problem = Problem(error, at: source.markSize + offset + start)
          return
        }
        start = end
      }
    }
  }

  /// Where the parts between blank lines end, each with its own: after every two line feeds, and at the end.
  private func blankLineEnds() -> [Int] {
    var ends: [Int] = []
    var previous: UInt8 = 0
    for (index, byte) in bytes.enumerated() {
      let isEnd = byte == 0x0A && previous == 0x0A
      if isEnd { ends.append(index + 1) }
      previous = isEnd ? 0 : byte
    }
    return ends + [bytes.count]
  }

  private func forEachLine(_ body: (Span<UInt8>) throws(TextError) -> Void) {
    var (start, text) = (0, [UInt8]())
    while start < bytes.count {
      let end = bytes[start...].firstIndex(of: 0x0A) ?? bytes.count
      lines += 1
      do {
        text.removeAll(keepingCapacity: true)
        if try Self.text(ofLine: JSONCursor(bytes, start..<end, replacingHalfSurrogates: true), into: &text),
          !text.isEmpty
        {
          documents += 1
          do { try body(text.span) } catch {
            var problem = Problem(error, at: 0)
            problem.line = lines
            self.problem = problem
            return
          }
        }
      } catch {
        problem = Problem(
          line: lines, expected: "an object with a string \"text\"", found: error.inside(from: start))
        return
      }
      start = end + 1
    }
  }

  /// Reads the member "text" of an object; false where the line is blank.
  private static func text(ofLine line: JSONCursor, into text: inout [UInt8]) throws(JSONError) -> Bool {
    var cursor = line
    if (try? cursor.finish()) != nil { return false }
    var isFound = false
    try cursor.object(distinctNames: false) { (name, cursor) throws(JSONError) in
      guard name == "text" else { return try cursor.skip() }
      guard !isFound else {
        throw JSONError(offset: cursor.position, expected: "one member \"text\"", found: "a second one")
      }
      isFound = true
      try cursor.string(into: &text)
    }
    guard isFound else {
      throw JSONError(offset: cursor.position, expected: "the member \"text\"", found: "an end without it")
    }
    try cursor.finish()
    return true
  }
}

extension TextSegment.Problem {
  init(_ error: TextError, at offset: Int) {
    self.init(expected: error.expected, found: error.found(at: offset))
  }
}
