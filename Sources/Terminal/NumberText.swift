import Foundation

/// Numbers as people read them.
package enum NumberText {
  // A NaN has no sign that means anything, though printf shows one.

  /// `value` with that many digits after the point: "3.140".
  package static func fixed(_ value: Double, _ digits: Int) -> String {
    value.isNaN ? "nan" : String(format: "%.\(digits)f", value)
  }

  /// With an exponent: "1.234e-05".
  package static func scientific(_ value: Double) -> String {
    value.isNaN ? "nan" : String(format: "%.3e", value)
  }

  /// With six digits: "0.0001", "1e-05".
  package static func short(_ value: Double) -> String {
    value.isNaN ? "nan" : String(format: "%g", value)
  }

  /// A positive number with about four significant digits, never with an exponent: "0.001234", "12.34", "123456".
  package static func significant(_ value: Double) -> String {
    guard value.isFinite, value < 1e15 else { return "–" }
    var (decimals, scaled) = (0, value)
    while decimals < 6, scaled < 1000 {
      decimals += 1
      scaled = value * (0..<decimals).reduce(1) { power, _ in power * 10 }
    }
    let integer = Int(scaled.rounded())
    if decimals == 0 { return "\(integer)" }
    let padding = String(repeating: "0", count: max(0, decimals + 1 - String(integer).count))
    let digits = padding + String(integer)
    return digits.dropLast(decimals) + "." + digits.suffix(decimals)
  }

  /// "1536 MiB": for columns, in which one unit compares better.
  package static func mebibytes(_ count: Int) -> String { "\(significant(Double(count) / 0x1p20)) MiB" }

  /// "1.5 GiB"
  package static func bytes(_ count: Int) -> String {
    var value = Double(count)
    var unit = "bytes"
    for larger in ["KiB", "MiB", "GiB", "TiB"] where value >= 1024 {
      value /= 1024
      unit = larger
    }
    return unit == "bytes" ? "\(count) bytes" : "\(fixed(value, 1)) \(unit)"
  }

  /// "1:05" or "2:01:05".
  package static func duration(seconds: Double) -> String {
    let total = Int(min(seconds.rounded(), 1e9))
    let (hours, minutes) = (total / 3600, total / 60 % 60)
    let rest = String(format: "%02d", total % 60)
    return hours > 0 ? "\(hours):\(String(format: "%02d", minutes)):\(rest)" : "\(minutes):\(rest)"
  }

  /// "1 layer", "2 layers", "3 batches".
  package static func count(_ count: Int, _ noun: String) -> String {
    let plural = noun.hasSuffix("h") ? "es" : "s"
    return "\(count) \(noun)\(count == 1 ? "" : plural)"
  }
}

extension String {
  /// Filled with spaces on the right.
  package func padded(to width: Int) -> String { self + String(repeating: " ", count: max(0, width - count)) }

  /// Filled with spaces on the left.
  package func aligned(to width: Int) -> String {
    String(repeating: " ", count: max(0, width - count)) + self
  }
}
