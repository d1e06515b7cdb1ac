/// A JSON value whose fields keep their order.
indirect enum JSON {
  case string(String)
  case number(Double)
  case integer(Int)
  case array([JSON])
  case object([(name: String, value: JSON)])

  /// One line of text; numbers carry all their digits. What is not finite has no number in JSON: null.
  var text: String {
    switch self {
    case .string(let string): Self.quoted(string)
    case .number(let number): number.isFinite ? "\(number)" : "null"
    case .integer(let integer): "\(integer)"
    case .array(let values): "[" + values.map(\.text).joined(separator: ",") + "]"
    case .object(let fields):
      "{" + fields.map { Self.quoted($0.name) + ":" + $0.value.text }.joined(separator: ",") + "}"
    }
  }

  private static func quoted(_ string: String) -> String {
    var result = "\""
    for scalar in string.unicodeScalars {
      switch scalar {
      case "\"", "\\": result += "\\\(scalar)"
      case " "...: result.unicodeScalars.append(scalar)
      default:
        let digits = String(scalar.value, radix: 16)
        result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      }
    }
    return result + "\""
  }
}
