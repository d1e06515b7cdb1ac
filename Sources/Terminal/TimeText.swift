import Foundation

/// Points in time as text that sorts and that every language reads: ISO 8601 in UTC.
package enum TimeText {
  /// Now, to the millisecond: "2026-11-25T22:44:16.123Z".
  package static var current: String {
    Date.now.formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
  }
}
