import Machine

/// The members of a JSON object from a file, of the types that they should have.
package struct JSONObject {
  private let value: JSONValue
  private let path: String
  private let what: String?

  /// - Parameter what: whose fields they are, for errors, as in "the dtype of the tensor wte".
  package init(_ value: JSONValue, path: String, what: String? = nil) {
    self.value = value
    self.path = path
    self.what = what
  }

  package func members() throws(FormatError) -> [String: JSONValue] {
    guard case .object(let members) = value else {
      throw .mismatch(path: path, field: what ?? "the JSON", expected: "an object", found: value.kind)
    }
    return members
  }

  /// nil where it is missing or null.
  package subscript(_ field: String) -> JSONValue? {
    get throws(FormatError) {
      switch try members()[field] {
      case nil, .null: nil
      case let value?: value
      }
    }
  }

  package func integer(_ field: String) throws(FormatError) -> Int {
    let found = try self[field]
    guard case .integer(let integer) = found else {
      throw mismatch(field, expected: "an integer", found: found?.kind ?? "missing")
    }
    return integer
  }

  package func string(_ field: String) throws(FormatError) -> String {
    let found = try self[field]
    guard case .string(let text) = found else {
      throw mismatch(field, expected: "a text", found: found?.kind ?? "missing")
    }
    return text
  }

  package func integers(_ field: String) throws(FormatError) -> [Int] {
    let found = try self[field]
    guard case .array(let values) = found else {
      throw mismatch(field, expected: "an array of integers", found: found?.kind ?? "missing")
    }
    var integers: [Int] = []
    for value in values {
      guard case .integer(let integer) = value else {
        throw mismatch(field, expected: "an array of integers", found: "one with \(value.kind) in it")
      }
      integers.append(integer)
    }
    return integers
  }

  package func object(_ field: String) throws(FormatError) -> JSONObject {
    guard let value = try self[field] else {
      throw mismatch(field, expected: "an object", found: "missing")
    }
    return JSONObject(value, path: path, what: field)
  }

  package func mismatch(_ field: String, expected: String, found: String) -> FormatError {
    let place = what.map { "the \(field) of \($0)" } ?? field
    return .mismatch(path: path, field: place, expected: expected, found: found)
  }
}
