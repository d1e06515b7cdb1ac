/// A JSON value to be written, whose objects keep the order of their members.
package enum JSONText: Sendable {
  case null
  case boolean(Bool)
  case text(String?)
  case integer(Int)
  case unsigned(UInt64)
  /// With all digits: the shortest that give the same number back. null where it is not finite.
  case float(Float)
  case double(Double)
  /// By its digits.
  case number(String)
  case array([JSONText])
  case object([(String, JSONText)])

  /// On one line.
  package var encoded: String {
    switch self {
    case .null: "null"
    case .boolean(let value): "\(value)"
    case .text(let text): text.map(Self.quoted) ?? "null"
    case .integer(let number): "\(number)"
    case .unsigned(let number): "\(number)"
    case .float(let number): number.isFinite ? "\(number)" : "null"
    case .number(let digits): digits
    case .double(let number): number.isFinite ? "\(number)" : "null"
    case .array(let values): "[" + values.map(\.encoded).joined(separator: ",") + "]"
    case .object(let members):
      "{" + members.map { Self.quoted($0) + ":" + $1.encoded }.joined(separator: ",") + "}"
    }
  }

  /// With a line for each member of the object, for files that people read, too; what is in a member, and what is
  /// no object, is on one line.
  package var indented: String {
    guard case .object(let members) = self, !members.isEmpty else { return encoded }
    let lines = members.map { "  " + Self.quoted($0) + ": " + $1.encoded }
    return "{\n" + lines.joined(separator: ",\n") + "\n}"
  }

  private static func quoted(_ text: String) -> String {
    var quoted = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": quoted += "\\\""
      case "\\": quoted += "\\\\"
      case "\n": quoted += "\\n"
      case "\r": quoted += "\\r"
      case "\t": quoted += "\\t"
      case _ where scalar.value < 0x20 || scalar.value == 0x7F:
        let digits = String(scalar.value, radix: 16)
        quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: quoted.unicodeScalars.append(scalar)
      }
    }
    return quoted + "\""
  }
}
