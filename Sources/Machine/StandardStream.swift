import CLinux

/// Standard output and standard error, as they are: nothing is kept back.
public enum StandardStream: Int32, Sendable {
  case output = 1
  case error = 2

  private var path: String { self == .output ? "standard output" : "standard error" }

  /// Writes all of `text`.
  ///
  /// - Throws: `FileError.writeFailed`.
  public func write(_ text: String) throws(FileError) {
    let bytes = Array(text.utf8)
    let error = unsafe clinux_write_all(rawValue, bytes, bytes.count)
    if error != 0 { throw .writeFailed(path: path, errno: error) }
  }

  /// Whether a person looks.
  public var isTerminal: Bool { clinux_is_terminal(rawValue) == 1 }

  /// The terminal's columns; 80 where it does not tell.
  public var columns: Int {
    let columns = Int(clinux_terminal_columns(rawValue))
    return columns > 0 ? columns : 80
  }

  /// All bytes of standard input.
  ///
  /// - Throws: `FormatError`: it cannot be read, or there are more than `limit` bytes.
  package static func input(limit: Int = largestWholeFile) throws(FormatError) -> [UInt8] {
    let path = "standard input"
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      var count = 0
      let error = unsafe clinux_read(0, &chunk, chunk.count, &count)
      if error != 0 { throw .file(.readFailed(path: path, errno: error)) }
      if count == 0 { return bytes }
      bytes += chunk[..<count]
      guard bytes.count <= limit else {
        throw .mismatch(
          path: path, field: "its size", expected: "at most \(limit) bytes, as it is read whole",
          found: "more")
      }
    }
  }
}
