import Machine

extension JSONCursor {
  /// Reads the one value that the file at `path` holds.
  ///
  /// - Throws: `FormatError.mismatch` that names the offset in the file.
  package static func read(
    path: String, _ body: (inout JSONCursor) throws(JSONError) -> Void
  ) throws(FormatError) {
    try FileKind.refuse(try mapped(path), expected: "a file of JSON", of: FileKind.all(but: .json, .text))
    var cursor = JSONCursor(try contents(path))
    do {
      try body(&cursor)
      try cursor.finish()
    } catch {
      throw .mismatch(
        path: path, field: "the JSON at byte \(error.offset)", expected: error.expected, found: error.found)
    }
  }

  /// Whether the first character that is not white space opens an object.
  package static func opensObject(_ file: MappedFile) -> Bool {
    for offset in 0..<min(64, file.byteCount) {
      switch file.read(UInt8.self, at: offset) {
      case 0x20, 0x09, 0x0A, 0x0D: continue
      case UInt8(ascii: "{"): return true
      default: return false
      }
    }
    return false
  }
}
