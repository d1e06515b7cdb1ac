import Terminal
import Testing

@Suite struct ProgressLineTests {
  private var line: ProgressLine {
    var line = ProgressLine()
    line.add("first", importance: 3)
    line.add("second", importance: 1)
    line.add("third", importance: 2)
    return line
  }

  /// What matters least goes first, and the order stays.
  @Test(arguments: [
    (20, "first  second  third"), (19, "first  third"), (12, "first  third"), (11, "first"), (2, "first"),
  ])
  func partsThatFit(_ columns: Int, _ expected: String) {
    #expect(line.text(columns: columns) == expected)
  }

  @Test func nothingIsALine() { #expect(ProgressLine().text(columns: 10) == "") }
}
