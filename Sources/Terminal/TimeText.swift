import Foundation

/// Points in time as text that sorts and that every language reads: ISO 8601 in UTC.
package enum TimeText {
  /// Now, to the millisecond: "2026-11-25T22:44:16.123Z".
  package static var current: String {
    Date.now.formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
  }

  /// Seconds since 1970 of a text that `current` gave; nil for any other.
  ///
  /// Foundation's reader would take seconds for a million lines.
  package static func seconds(of text: String) -> Double? {
    let bytes = Array(text.utf8)
    guard bytes.count == 24, bytes[23] == UInt8(ascii: "Z") else { return nil }
    for (place, mark) in [(4, "-"), (7, "-"), (10, "T"), (13, ":"), (16, ":"), (19, ".")]
      as [(Int, Unicode.Scalar)]
    where bytes[place] != UInt8(ascii: mark) { return nil }
    func number(_ range: Range<Int>) -> Int? {
      var value = 0
      for byte in bytes[range] {
        guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return nil }
        value = value * 10 + Int(byte - UInt8(ascii: "0"))
      }
      return value
    }
    guard let year = number(0..<4), let month = number(5..<7), let day = number(8..<10),
      let hour = number(11..<13), let minute = number(14..<16), let second = number(17..<19),
      let millisecond = number(20..<23), (1...12).contains(month), (1...31).contains(day)
    else { return nil }
    // Days of the Gregorian calendar, its years begun in March, so that leap days come last.
    let shifted = month > 2 ? year : year - 1
    let dayOfYear = (153 * ((month + 9) % 12) + 2) / 5 + day - 1
    let days = shifted * 365 + shifted / 4 - shifted / 100 + shifted / 400 + dayOfYear - 719_468
    return Double(((days * 24 + hour) * 60 + minute) * 60 + second) + Double(millisecond) / 1000
  }
}
