import JSON
import Testing

@Suite struct JSONTextTests {
  @Test(arguments: [
    (JSONText.null, "null"), (.boolean(true), "true"), (.boolean(false), "false"), (.integer(-3), "-3"),
    (.unsigned(.max), "18446744073709551615"), (.float(0.1), "0.1"), (.double(1e-5), "1e-05"),
    (.double(.nan), "null"), (.float(-.infinity), "null"), (.text(nil), "null"), (.text("a"), "\"a\""),
    (.array([.integer(1), .text("b"), .array([])]), "[1,\"b\",[]]"),
    (.object([("z", .integer(1)), ("a", .object([]))]), "{\"z\":1,\"a\":{}}"),
  ])
  func encodesByTheGrammarOnOneLine(json: JSONText, expected: String) {
    #expect(json.encoded == expected)
  }

  @Test func everyControlCharacterIsEscaped() throws {
    let controls = (UInt8(0)..<0x20).map { Unicode.Scalar($0) } + ["\u{7F}", "\"", "\\", "é", "\u{1F600}"]
    let text = String(String.UnicodeScalarView(controls))
    let encoded = JSONText.text(text).encoded
    #expect(encoded.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7F })
    var cursor = JSONCursor(Array(encoded.utf8))
    #expect(try cursor.string() == text)
    try cursor.finish()
  }

  @Test func indentsTheMembersOfTheOutermostObject() {
    let json = JSONText.object([("a", .array([.integer(1), .integer(2)])), ("b", .object([("c", .null)]))])
    #expect(json.indented == "{\n  \"a\": [1,2],\n  \"b\": {\"c\":null}\n}")
    #expect(JSONText.object([]).indented == "{}")
    #expect(JSONText.array([.integer(1)]).indented == "[1]")
  }

  /// The shortest digits that give the number back, for bit patterns of every magnitude.
  @Test func numbersKeepTheirBits() throws {
    var bits: UInt64 = 1
    for _ in 0..<1000 {
      bits = bits &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      let number = Double(bitPattern: bits)
      guard number.isFinite else { continue }
      let text = JSONText.double(number).encoded
      var cursor = JSONCursor(Array(text.utf8))
      #expect(Double(try cursor.number())?.bitPattern == bits, "\(text)")
      try cursor.finish()
    }
  }
}
