import Foundation

/// Numbers as people read them.
enum NumberText {
  /// `value` with that many digits after the point: "3.140".
  static func fixed(_ value: Double, _ digits: Int) -> String {
    String(format: "%.\(digits)f", value)
  }

  /// With an exponent: "1.234e-05".
  static func scientific(_ value: Double) -> String {
    String(format: "%.3e", value)
  }

  /// With six digits: "0.0001", "1e-05".
  static func short(_ value: Double) -> String {
    String(format: "%g", value)
  }

  /// "1.5 GiB"
  static func bytes(_ count: Int) -> String {
    var value = Double(count)
    var unit = "bytes"
    for larger in ["KiB", "MiB", "GiB", "TiB"] where value >= 1024 {
      value /= 1024
      unit = larger
    }
    return unit == "bytes" ? "\(count) bytes" : "\(fixed(value, 1)) \(unit)"
  }

  /// "1:05" or "2:01:05".
  static func duration(seconds: Double) -> String {
    let total = Int(min(seconds.rounded(), 1e9))
    let (hours, minutes) = (total / 3600, total / 60 % 60)
    let rest = String(format: "%02d", total % 60)
    return hours > 0 ? "\(hours):\(String(format: "%02d", minutes)):\(rest)" : "\(minutes):\(rest)"
  }

  /// "1 layer", "2 layers", "3 batches".
  static func count(_ count: Int, _ noun: String) -> String {
    let plural = noun.hasSuffix("h") ? "es" : "s"
    return "\(count) \(noun)\(count == 1 ? "" : plural)"
  }
}

extension String {
  /// Filled with spaces on the right.
  func padded(to width: Int) -> String { self + String(repeating: " ", count: max(0, width - count)) }

  /// Filled with spaces on the left.
  func aligned(to width: Int) -> String { String(repeating: " ", count: max(0, width - count)) + self }
}
