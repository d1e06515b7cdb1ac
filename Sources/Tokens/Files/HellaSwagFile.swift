import JSON
import Machine

/// A context and what may follow it, of which one is right.
public struct HellaSwagExample: Sendable, Equatable {
  /// At least one token.
  public let context: [Int32]
  /// At least one, each at least one token.
  public let completions: [[Int32]]
  /// The index of the right one.
  public let label: Int

  /// - Precondition: tokens and completions as said above; the label is one of theirs.
  public init(context: [Int32], completions: [[Int32]], label: Int) {
    precondition(
      !context.isEmpty && completions.allSatisfy { !$0.isEmpty } && completions.indices.contains(label))
    self.context = context
    self.completions = completions
    self.label = label
  }

  /// Tokens that a model is given to predict the longest completion: the last one predicts nothing.
  public var inputCount: Int { context.count + (completions.map(\.count).max() ?? 0) - 1 }
}

/// Examples of HellaSwag: everyday situations and four ends to each, of which people know the right one.
///
/// Two formats are told apart by content:
/// - llm.c's: 256 int32 (20240522, version 1, count, bytes of the longest example), then uint16 for each example:
///   65535, its bytes, its index, label, number of completions, then the context and each completion as their length and
///   tokens;
/// - the original's JSON lines, whose members `ctx`, `endings` and `label` matter: the tokens of `ctx`, and those of a
///   space and an ending.
///
/// - SeeAlso: Zellers et al. 2019, arXiv:1905.07830; github.com/karpathy/llm.c, dev/data/hellaswag.py.
public struct HellaSwagFile: Sendable {
  public let path: String
  public let examples: [HellaSwagExample]

  /// - Parameter encoder: of the model's vocabulary; llm.c's format needs none.
  /// - Throws: `FormatError`, naming the field and the example that is off; JSON lines without an encoder.
  public init(path: String, encoder: TextEncoder?) throws(FormatError) {
    let file = try mapped(path)
    self.path = path
    if FileMagic.detect(file) == nil, JSONCursor.opensObject(file) {
      guard let encoder else {
        throw .mismatch(
          path: path, field: "the vocabulary that JSON lines are encoded with", expected: "given",
          found: "not at hand")
      }
      examples = try HellaSwagLines(path: path, encoder: encoder).examples()
    } else {
      var records = try HellaSwagRecords(file)
      examples = try records.examples()
    }
    guard !examples.isEmpty else {
      throw .mismatch(path: path, field: "the number of examples", expected: "at least 1", found: "0")
    }
  }
}

/// llm.c's records.
private struct HellaSwagRecords {
  private static let start = 65535
  /// uint16: start, bytes, index, label, completions; then two lengths and two tokens at least.
  private static let leastCount = 9

  private let file: MappedFile
  private let header: LLMHeader
  private var offset = LLMHeader.byteCount
  /// The number of the example and where it ends.
  private var index = 0
  private var end = 0

  init(_ file: MappedFile) throws(FormatError) {
    self.file = file
    header = try LLMHeader(file, path: file.path, magic: .hellaSwag)
    try header.checkVersion([1])
    let most = (file.byteCount - LLMHeader.byteCount) / (2 * Self.leastCount)
    guard (0...most).contains(header[2]) else {
      throw header.mismatch(
        "the number of examples",
        expected: "in 0...\(most), which the file's \(file.byteCount) bytes can hold",
        found: "\(header[2])")
    }
  }

  mutating func examples() throws(FormatError) -> [HellaSwagExample] {
    var examples: [HellaSwagExample] = []
    var longest = 0
    for index in 0..<header[2] {
      self.index = index
      let start = offset
      examples.append(try example())
      longest = max(longest, offset - start)
    }
    try header.checkSize(file.byteCount, expected: offset)
    guard longest == header[3] || examples.isEmpty else {
      throw header.mismatch("the longest example", expected: "\(longest) bytes", found: "\(header[3])")
    }
    return examples
  }

  private mutating func example() throws(FormatError) -> HellaSwagExample {
    let start = offset
    end = file.byteCount
    let opening = try next("the start")
    guard opening == Self.start else { throw mismatch("the start", "\(Self.start)", "\(opening)") }
    let bytes = try next("the size")
    guard start + bytes <= file.byteCount, bytes >= 2 * Self.leastCount, bytes.isMultiple(of: 2) else {
      throw mismatch(
        "the size",
        "an even number of bytes from \(2 * Self.leastCount) to the \(file.byteCount - start) that are left",
        "\(bytes)")
    }
    end = start + bytes
    _ = try next("the index")
    let (label, count) = (try next("the label"), try next("the number of completions"))
    guard label < count else { throw mismatch("the label", "below the \(count) completions", "\(label)") }
    let context = try tokens("the context")
    var completions: [[Int32]] = []
    for number in 0..<count { completions.append(try tokens("completion \(number)")) }
    guard offset == end else { throw mismatch("the size", "\(offset - start) bytes", "\(bytes)") }
    return HellaSwagExample(context: context, completions: completions, label: label)
  }

  private mutating func tokens(_ field: String) throws(FormatError) -> [Int32] {
    let count = try next("the length of \(field)")
    guard count > 0, count <= (end - offset) / 2 else {
      throw mismatch(
        "the length of \(field)", "1 to the \((end - offset) / 2) tokens that are left of it", "\(count)")
    }
    var tokens: [Int32] = []
    for _ in 0..<count { tokens.append(Int32(try next(field))) }
    return tokens
  }

  private mutating func next(_ field: String) throws(FormatError) -> Int {
    guard offset + 2 <= end else { throw mismatch(field, "there", "missing: the example ends before it") }
    defer { offset += 2 }
    return Int(file.read(UInt16.self, at: offset))
  }

  private func mismatch(_ field: String, _ expected: String, _ found: String) -> FormatError {
    .mismatch(path: file.path, field: "\(field) of example \(index)", expected: expected, found: found)
  }
}

/// The original's lines.
private struct HellaSwagLines {
  let path: String
  let encoder: TextEncoder
  private static let expected = "an object with ctx, endings and label"

  /// An object's members.
  private struct Line {
    var context: [UInt8]?
    var endings: [[UInt8]]?
    var label: Int?
  }

  func examples() throws(FormatError) -> [HellaSwagExample] {
    let bytes = try contents(path, limit: 1 << 30)
    var examples: [HellaSwagExample] = []
    var (start, number) = (0, 0)
    while start < bytes.count {
      let end = bytes[start...].firstIndex(of: 0x0A) ?? bytes.count
      number += 1
      do {
        if let line = try Self.line(JSONCursor(bytes, start..<end, replacingHalfSurrogates: true)) {
          examples.append(try example(line, number))
        }
      } catch let error as JSONError {
        throw mismatch(number, Self.expected, error.inside(from: start))
      } catch let error as FormatError {
        throw error
      } catch { preconditionFailure("\(error)") }
      start = end + 1
    }
    return examples
  }

  /// nil where the line is blank.
  private static func line(_ line: JSONCursor) throws(JSONError) -> Line? {
    var (cursor, found) = (line, Line())
    if (try? cursor.finish()) != nil { return nil }
    try cursor.object { (name, cursor) throws(JSONError) in
      switch name {
      case "ctx":
        var text: [UInt8] = []
        try cursor.string(into: &text)
        found.context = text
      case "endings":
        var endings: [[UInt8]] = []
        try cursor.array { (cursor) throws(JSONError) in
          var text: [UInt8] = [0x20]
          try cursor.string(into: &text)
          endings.append(text)
        }
        found.endings = endings
      case "label": found.label = try label(&cursor)
      default: try cursor.skip()
      }
    }
    try cursor.finish()
    return found
  }

  /// A number, or one in quotes as some copies have it.
  private static func label(_ cursor: inout JSONCursor) throws(JSONError) -> Int {
    guard cursor.peek() == "\"" else { return try cursor.integer() }
    let place = cursor.position
    let text = try cursor.string()
    guard let label = Int(text) else {
      throw JSONError(offset: place, expected: "a label", found: "'\(text.shortened)'")
    }
    return label
  }

  private func example(_ line: Line, _ number: Int) throws(FormatError) -> HellaSwagExample {
    guard let context = line.context, let endings = line.endings, let label = line.label else {
      let missing = [
        ("ctx", line.context == nil), ("endings", line.endings == nil), ("label", line.label == nil),
      ]
      throw mismatch(
        number, Self.expected,
        "one without \(missing.filter(\.1).map(\.0).joined(separator: " and "))")
    }
    guard endings.indices.contains(label) else {
      throw mismatch(number, "one with a label of its \(endings.count) endings", "one with \(label)")
    }
    var completions: [[Int32]] = []
    for ending in endings { completions.append(try encode(ending, number)) }
    let tokens = try encode(context, number)
    guard !tokens.isEmpty else {
      throw mismatch(number, "one with a ctx of some characters", "one with an empty one")
    }
    return HellaSwagExample(context: tokens, completions: completions, label: label)
  }

  private func encode(_ text: [UInt8], _ number: Int) throws(FormatError) -> [Int32] {
    do { return try encoder.encode(text) } catch {
      throw mismatch(number, error.expected, error.found(at: 0))
    }
  }

  private func mismatch(_ number: Int, _ expected: String, _ found: String) -> FormatError {
    .mismatch(path: path, field: "line \(number)", expected: expected, found: found)
  }
}
