import CLinux

/// A file that grows by whole lines, such as a log of JSON objects, or by whole records.
///
/// Every one is one write at the file's end, so those of several writers do not mix and a crash loses none that
/// were written; where a disk is full, no half of one stays.
public final class LineWriter: Sendable {
  private let file: FileDescriptor

  /// - Parameter append: adds to a file that exists; without it such a file is refused.
  /// - Throws: `FileError`.
  public init(path: String, append: Bool = false) throws(FileError) {
    do { file = try FileDescriptor(path: path, mode: append ? CLINUX_APPEND : CLINUX_CREATE_APPEND) } catch {
      if case .notFound = error { throw .noDirectory(path: path) }
      throw error
    }
  }

  public var path: String { file.path }

  /// Writes `line` and a line feed.
  public func write(_ line: String) throws(FileError) {
    try write(record: Array(line.utf8) + [0x0A])
  }

  /// Writes bytes as they are.
  public func write(record: [UInt8]) throws(FileError) { try unsafe file.append(line: record.span.bytes) }
}
