import JSON
import Machine

/// A line of a training log: its texts and numbers by name, and where nothing else tells what it is, all of it.
struct LogEvent {
  /// "start", "train", …
  let kind: String
  private(set) var texts: [String: String] = [:]
  private(set) var numbers: [String: Double] = [:]
  private let line: [UInt8]

  /// nil where the line is no event.
  fileprivate init?(_ line: [UInt8]) {
    var kind: String?
    var texts: [String: String] = [:]
    var numbers: [String: Double] = [:]
    var cursor = JSONCursor(line)
    do {
      try cursor.object { (name, cursor) throws(JSONError) in
        switch cursor.peek() {
        case "\"":
          let text = try cursor.string()
          if name == "event" { kind = text } else { texts[name] = text }
        case "-", "0"..."9":
          let number = Double(try cursor.number())
          // What no float64 holds is as good as null.
          numbers[name] = number.flatMap { $0.isFinite ? $0 : nil }
        default: try cursor.skip()
        }
      }
      try cursor.finish()
    } catch { return nil }
    guard let kind else { return nil }
    (self.kind, self.texts, self.numbers, self.line) = (kind, texts, numbers, line)
  }

  /// The step, where the event has one that may be counted on.
  var step: Int? {
    numbers["step"].flatMap { Int(exactly: $0) }.flatMap { (0...1 << 53).contains($0) ? $0 : nil }
  }

  /// All members, in their order.
  var members: [(String, JSONText)] {
    var cursor = JSONCursor(line)
    guard case .object(let members)? = try? cursor.text() else { return [] }
    return members
  }
}

/// A log of `gpt2 train --log`, read line by line.
struct TrainingLogFile {
  private let path: String
  private let add: (LogEvent) -> String?
  /// Bytes that are not taken in yet.
  private var rest: [UInt8] = []
  /// Lines that are.
  private var lines = 0

  private init(path: String, _ add: @escaping (LogEvent) -> String?) { (self.path, self.add) = (path, add) }

  /// Hands over every event in order; what `add` returns, if anything, is what the line should have been.
  ///
  /// - Returns: whether the last line is cut off, as one is that a killed run was writing.
  /// - Throws: `FormatError` for a line, but for the last, that is no event, and for any that `add` refuses.
  static func read(path: String, _ add: (LogEvent) -> String?) throws(FormatError) -> Bool {
    do {
      return try withoutActuallyEscaping(add) { add in
        var log = TrainingLogFile(path: path, add)
        let file = try FileReader(path: path)
        while try file.read(appendingTo: &log.rest, limit: 1 << 20) > 0 { try log.takeWholeLines() }
        if log.rest.isEmpty { return false }
        return try !log.take(log.rest[...])
      }
    } catch let error as FormatError { throw error } catch let error as FileError { throw .file(error) } catch
    {
      throw .invalid(path: path, reason: "\(error)")
    }
  }

  private mutating func takeWholeLines() throws(FormatError) {
    var start = rest.startIndex
    while let end = rest[start...].firstIndex(of: 0x0A) {
      guard try take(rest[start..<end]) else { throw noEvent(line: lines) }
      start = end + 1
    }
    rest.removeFirst(start)
    guard rest.count <= largestWholeFile else {
      throw .mismatch(
        path: path, field: "line \(lines + 1)", expected: "at most \(largestWholeFile) bytes long",
        found: "longer")
    }
  }

  /// Whether the line is an event.
  private mutating func take(_ line: ArraySlice<UInt8>) throws(FormatError) -> Bool {
    lines += 1
    guard let event = LogEvent(Array(line)) else { return false }
    guard let expected = add(event) else { return true }
    throw .mismatch(path: path, field: "line \(lines)", expected: expected, found: "none")
  }

  private func noEvent(line: Int) -> FormatError {
    .mismatch(path: path, field: "line \(line)", expected: "an event of a training run", found: "none")
  }
}
