import Machine

/// The 256 int32 that open every llm.c file.
package struct LLMHeader {
  private static let count = 256
  package static let byteCount = count * MemoryLayout<Int32>.size

  private let path: String
  private let fields: [Int32]

  package subscript(_ index: Int) -> Int { Int(fields[index]) }

  /// Reads the header of `file` and checks its magic number.
  ///
  /// - Throws: `FormatError.mismatch` on a file shorter than a header or of another kind.
  package init(_ file: MappedFile, path: String, magic: FileMagic) throws(FormatError) {
    try FileKind.refuse(file, expected: magic.wanted, of: FileKind.all(but: .llm(magic)))
    guard file.byteCount >= Self.byteCount else {
      throw .mismatch(
        path: path, field: "the file's size",
        expected: "at least the \(Self.byteCount) bytes of a header of \(magic.kind)",
        found: file.byteCount == 0 ? "empty" : "\(file.byteCount) bytes")
    }
    self.path = path
    var fields: [Int32] = []
    fields.reserveCapacity(Self.count)
    for index in 0..<Self.count {
      fields.append(file.read(Int32.self, at: index * MemoryLayout<Int32>.size))
    }
    self.fields = fields
    guard fields[0] == magic.rawValue else {
      throw .mismatch(
        path: path, field: "the magic number", expected: "\(magic.rawValue), that of \(magic.kind)",
        found: "\(fields[0])")
    }
  }

  /// Checks that the version, the second field, is one of `versions`.
  package func checkVersion(_ versions: [Int]) throws(FormatError) {
    guard versions.contains(self[1]) else {
      let known = versions.map(String.init).joined(separator: " or ")
      throw mismatch("the version", expected: known, found: "\(self[1])")
    }
  }

  /// Checks that the file is exactly as long as its header says.
  package func checkSize(_ found: Int, expected: Int) throws(FormatError) {
    guard found == expected else {
      let difference = (found - expected).magnitude
      throw mismatch(
        "the file's size", expected: "the \(expected) bytes that its header says",
        found: "\(found) bytes, \(difference) too \(found < expected ? "few" : "many")")
    }
  }

  /// The bytes of a header with these fields behind its magic number, and zeros behind them.
  package static func bytes(_ magic: FileMagic, _ fields: [Int32]) -> [UInt8] {
    let zeros = [Int32](repeating: 0, count: count - 1 - fields.count)
    return littleEndianBytes([magic.rawValue] + fields + zeros)
  }

  package func mismatch(_ field: String, expected: String, found: String) -> FormatError {
    .mismatch(path: path, field: field, expected: expected, found: found)
  }
}
