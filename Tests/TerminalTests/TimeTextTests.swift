import Foundation
import Terminal
import Testing

@Suite struct TimeTextTests {
  /// Against Foundation's own calendar, over leap years and ends of months.
  @Test func secondsOfAText() throws {
    let style = Date.ISO8601FormatStyle(includingFractionalSeconds: true)
    for year in [1970, 1972, 1999, 2000, 2024, 2026, 2100] {
      for day in ["01-01", "02-28", "03-01", "06-30", "12-31"]
        + (year % 4 == 0 && year != 2100 ? ["02-29"] : [])
      {
        let text = "\(year)-\(day)T23:59:58.123Z"
        let expected = try Date(text, strategy: style).timeIntervalSince1970
        // Foundation counts from 2001, 978307200 seconds later: both round there and back.
        let tolerance = 2 * max(expected, 978_307_200).ulp
        #expect(abs(try #require(TimeText.seconds(of: text)) - expected) <= tolerance, "\(text)")
      }
    }
    let (before, now) = (Date.now.timeIntervalSince1970, try #require(TimeText.seconds(of: TimeText.current)))
    #expect((before - 0.001...before + 10).contains(now))
  }

  @Test(arguments: [
    "", "2026-01-01", "2026-01-01T00:00:00Z", "2026-01-01 00:00:00.000Z", "2026-13-01T00:00:00.000Z",
    "2026-01-01T00:00:00.000+", "2026-01-01T0a:00:00.000Z", "２026-01-01T00:00:00.00Z",
  ])
  func whatIsNoTime(_ text: String) { #expect(TimeText.seconds(of: text) == nil) }
}
