import JSON
import Testing

@Suite struct JSONCursorTests {
  private func cursor(_ text: String) -> JSONCursor { JSONCursor(Array(text.utf8)) }

  /// The error that reading any value and the end throws.
  private func refusal(_ text: String) -> JSONError? {
    var cursor = cursor(text)
    do {
      try cursor.skip()
      try cursor.finish()
      return nil
    } catch { return error }
  }

  @Test func readsWhatIsAskedForAndSkipsTheRest() throws {
    var cursor = cursor(
      " {\"a\" : [1, -2 ,3], \"b\":{\"c\":[null,true,1e3]}, \"d\":\"x\\u00e9\\ud83d\\ude00\"}\n")
    var numbers: [Int] = []
    var text = ""
    try cursor.object { (name, cursor) throws(JSONError) in
      switch name {
      case "a": try cursor.array { (cursor) throws(JSONError) in numbers.append(try cursor.integer()) }
      case "d": text = try cursor.string()
      default: try cursor.skip()
      }
    }
    try cursor.finish()
    #expect(numbers == [1, -2, 3])
    #expect(text == "xé\u{1F600}")
  }

  @Test(arguments: [
    ("", 0, "a JSON value"), ("[1,]", 3, "a JSON value"), ("{\"a\":1,}", 7, "a name in quotes"),
    ("01", 1, "the end"),
    ("[1 2]", 3, "a comma or ']'"), ("nul", 0, "null"), ("\"a", 2, "the end of the string"),
    ("1.", 2, "a digit"),
    ("\"\\ud800\"", 2, "a pair of surrogates"), ("\"\\x\"", 2, "one of \"\\/bfnrtu after a backslash"),
  ])
  func namesTheByteAndWhatItShouldBe(text: String, offset: Int, expected: String) throws {
    let error = try #require(refusal(text))
    #expect(error.offset == offset && error.expected == expected, "\(error)")
  }

  @Test func depthIsBounded() {
    let open = String(repeating: "[", count: 64)
    let close = String(repeating: "]", count: 64)
    #expect(refusal(open + close) == nil)
    #expect(refusal("[" + open + close + "]")?.expected == "at most 64 levels deep")
  }

  @Test func bytesThatAreNoUTF8AreRefused() {
    var cursor = JSONCursor([0x22, 0xC3, 0x28, 0x22])
    #expect(throws: JSONError.self) { try cursor.string() }
  }

  @Test func aNameComesOnceUnlessAskedOtherwise() throws {
    let text = "{\"a\":1,\"a\":2}"
    var strict = cursor(text)
    #expect(throws: JSONError.self) {
      try strict.object { (_, cursor) throws(JSONError) in try cursor.skip() }
    }
    var (all, values) = (cursor(text), [Int]())
    try all.object(distinctNames: false) { (_, cursor) throws(JSONError) in
      values.append(try cursor.integer())
    }
    #expect(values == [1, 2])
  }
}
