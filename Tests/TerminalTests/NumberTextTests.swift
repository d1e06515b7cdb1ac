import Terminal
import Testing

@Suite struct NumberTextTests {
  @Test(arguments: [
    (0.0, "0.000000"), (0.0012344, "0.001234"), (0.99999, "1.0000"), (1, "1.000"), (12.344, "12.34"),
    (999.96, "1000.0"), (1000, "1000"), (123456.4, "123456"), (1e15, "–"), (.infinity, "–"), (.nan, "–"),
  ])
  func significantDigits(value: Double, expected: String) {
    #expect(NumberText.significant(value) == expected)
  }

  /// printf shows a sign that a NaN may have by chance.
  @Test func whatIsNoNumberHasNoSign() {
    for value in [Double.nan, -Double.nan] {
      #expect(NumberText.fixed(value, 3) == "nan" && NumberText.scientific(value) == "nan")
      #expect(NumberText.short(value) == "nan")
    }
    #expect(NumberText.fixed(-.infinity, 1) == "-inf")
  }

  @Test func unitsOfBytes() {
    #expect(NumberText.bytes(1023) == "1023 bytes")
    #expect(NumberText.bytes(1536) == "1.5 KiB")
    #expect(NumberText.bytes(5 << 40) == "5.0 TiB")
    #expect(NumberText.mebibytes(1536 << 20) == "1536 MiB")
    #expect(NumberText.mebibytes(1 << 19) == "0.5000 MiB")
  }

  @Test func durations() {
    #expect(NumberText.duration(seconds: 65.4) == "1:05")
    #expect(NumberText.duration(seconds: 7265) == "2:01:05")
    #expect(NumberText.duration(seconds: .infinity).isEmpty == false)
  }

  @Test func plurals() {
    #expect(NumberText.count(1, "batch") == "1 batch")
    #expect(NumberText.count(2, "batch") == "2 batches")
    #expect(NumberText.count(0, "layer") == "0 layers")
  }

  @Test func columns() {
    #expect("ab".padded(to: 4) == "ab  " && "ab".aligned(to: 4) == "  ab")
    #expect("abcde".padded(to: 4) == "abcde" && "abcde".aligned(to: 4) == "abcde")
  }
}
