import TestSupport
import Testing
import Tokens

@Suite struct HellaSwagFileTests {
  private let directory: ScratchDirectory

  init() throws { directory = try ScratchDirectory() }

  private static let examples = [
    HellaSwagExample(context: [1, 2, 3], completions: [[4], [5, 6], [7], [8, 9]], label: 3),
    HellaSwagExample(context: [50256], completions: [[1, 1, 1], [2]], label: 0),
  ]

  private static let records = examples.map { ($0.context, $0.completions, $0.label) }

  private func read(_ bytes: [UInt8], encoder: TextEncoder? = nil) throws -> [HellaSwagExample] {
    try HellaSwagFile(path: directory.write(bytes), encoder: encoder).examples
  }

  /// The error's sentence, the path as FILE.
  private func refusal(_ bytes: [UInt8], encoder: TextEncoder? = nil) -> String {
    (sentence { _ = try read(bytes, encoder: encoder) } ?? "")
      .replacing(directory.path + "/file.bin", with: "FILE")
  }

  @Test func recordsAreRead() throws {
    #expect(try read(HellaSwagBytes.file(Self.records)) == Self.examples)
  }

  @Test func headersAreChecked() throws {
    let file = HellaSwagBytes.file(Self.records)
    func changed(_ field: Int, _ value: Int32) -> String {
      var file = file
      file.replaceSubrange(4 * field..<4 * field + 4, with: FileBytes.littleEndian(value))
      return refusal(file)
    }
    #expect(changed(0, 20_240_520).contains("should be an llm.c HellaSwag file, but is an llm.c data file"))
    #expect(changed(0, 5).contains("the magic number should be 20240522"))
    #expect(changed(1, 2).contains("the version should be 1, but is 2"))
    // Before anything is read or made room for.
    #expect(changed(2, .max).contains("the number of examples should be in 0...3"))
    #expect(changed(2, -1).contains("but is -1"))
    #expect(changed(2, 0).contains("the file's size should be the 1024 bytes"))
    #expect(changed(2, 1).contains("too many"))
    #expect(changed(2, 3).contains("the start of example 2 should be there"))
    #expect(changed(3, 1).contains("the longest example should be 38 bytes, but is 1"))
    #expect(refusal(Array(file.prefix(500))).contains("at least the 1024 bytes"))
    #expect(refusal(HellaSwagBytes.file([])).contains("the number of examples should be at least 1"))
  }

  /// Each uint16 of the first record but its index, and the tokens, says something that is checked.
  @Test(
    arguments: [
      (0, 7, "the start of example 0 should be 65535, but is 7"),
      (1, 35, "the size of example 0 should be an even number of bytes from 18 to the 64"),
      (1, 66, "the size of example 0 should be an even number of bytes"),
      (1, 34, "example 0"), (1, 40, "the size of example 0 should be 38 bytes, but is 40"),
      (3, 4, "the label of example 0 should be below the 4 completions, but is 4"),
      (4, 0, "the label of example 0 should be below the 0 completions"),
      (4, 5, "the length of completion 4 of example 0 should be there"),
      (5, 0, "the length of the context of example 0 should be 1 to the 13 tokens"),
      (5, 14, "the length of the context of example 0 should be 1 to the 13 tokens"),
      (9, 0, "the length of completion 0 of example 0 should be 1 to"),
      (9, 65535, "the length of completion 0 of example 0 should be 1 to"),
    ])
  func recordsAreChecked(index: Int, value: UInt16, text: String) {
    var file = HellaSwagBytes.file(Self.records)
    var replacement = FileBytes()
    replacement.append([value])
    file.replaceSubrange(1024 + 2 * index..<1026 + 2 * index, with: replacement.bytes)
    let found = refusal(file)
    #expect(found.contains(text), "\(found)")
  }

  @Test func everyTruncationIsRefused() {
    let file = HellaSwagBytes.file(Self.records)
    for count in 0..<file.count { #expect(refusal(Array(file.prefix(count))) != "", "\(count) bytes") }
    #expect(refusal(file + [0]).contains("too many"))
  }

  // MARK: - JSON lines

  private func encoder() throws -> TextEncoder { try TextEncoder(.bytes) }

  /// The tokens of the context, and of a space and each ending; other members do not matter.
  @Test func linesAreEncodedAsLLMCDoes() throws {
    let lines = """
      {"ind": 24, "ctx": "A man", "ctx_a": "x", "label": 1, "endings": ["sits.", "is é."], "split": "val"}

      {"endings": ["b"], "ctx": "a", "label": "0"}
      """
    func tokens(_ text: String) -> [Int32] { text.utf8.map { Int32($0) } }
    #expect(
      try read(Array(lines.utf8), encoder: encoder()) == [
        HellaSwagExample(
          context: tokens("A man"), completions: [tokens(" sits."), tokens(" is é.")], label: 1),
        HellaSwagExample(context: tokens("a"), completions: [tokens(" b")], label: 0),
      ])
  }

  @Test(
    arguments: [
      (
        #"{"ctx": "a", "label": 0}"#,
        "line 2 should be an object with ctx, endings and label, but is one without endings"
      ),
      (#"{"endings": ["a"]}"#, "without ctx and label"),
      (#"{"ctx": "a", "endings": ["b"], "label": 1}"#, "a label of its 1 endings, but is one with 1"),
      (#"{"ctx": "a", "endings": ["b"], "label": -1}"#, "but is one with -1"),
      (#"{"ctx": "a", "endings": ["b"], "label": "x"}"#, "instead of a label"),
      (#"{"ctx": "a", "endings": ["b"], "label": 0.5}"#, "a whole number"),
      (#"{"ctx": "", "endings": ["b"], "label": 0}"#, "a ctx of some characters"),
      (#"{"ctx": 7, "endings": ["b"], "label": 0}"#, "but is none: '7' at byte 8 instead of a string"),
      (#"{"ctx": "a", "endings": [7], "label": 0}"#, "instead of a string"),
      (#"{"ctx": "a", "ctx": "a", "endings": ["b"], "label": 0}"#, "a second time"),
      (#"{"ctx": "a", "endings": ["b"], "label": 0} x"#, "'x' at byte 43 instead of the end"),
      (
        "text",
        "line 2 should be an object with ctx, endings and label, but is none: 't' at byte 0 instead of an object."
      ),
    ])
  func linesAreChecked(line: String, text: String) throws {
    let found = refusal(
      Array((#"{"ctx": "a", "endings": ["b"], "label": 0}"# + "\n" + line).utf8), encoder: try encoder())
    #expect(found.hasPrefix("FILE: ") && found.contains(text), "\(found)")
  }

  @Test func linesNeedAVocabulary() throws {
    let line = Array(#"{"ctx": "a", "endings": ["b"], "label": 0}"#.utf8)
    #expect(refusal(line).contains("the vocabulary that JSON lines are encoded with should be given"))
    let letters = try TextEncoder(.characters("b ".unicodeScalars))
    #expect(
      refusal(line, encoder: letters).contains("line 1 should be of the vocabulary's characters, but is U+61")
    )
    #expect(refusal(Array("{}".utf8), encoder: letters).contains("without ctx and endings and label"))
  }
}
