import CLinux

/// A file's size and when its bytes were last changed, by which a file is told from what it was before.
public struct FileVersion: Sendable, Equatable {
  public let byteCount: Int
  /// Nanoseconds since 1970.
  let modificationTime: Int64
}

/// A regular file that is read from its beginning to its end, for files too large to be held: unlike those of a
/// map, its pages never count as the process's own.
public struct FileReader: ~Copyable, Sendable {
  public let path: String
  /// What it was when it was opened.
  public let version: FileVersion
  private let file: FileDescriptor

  /// - Throws: `FileError` when `path` is not a readable regular file.
  public init(path: String) throws(FileError) {
    let file = try FileDescriptor(path: path, mode: CLINUX_READ)
    version = try file.version()
    self.path = path
    self.file = file
  }

  /// Appends the next bytes to `bytes`, at most `limit`; returns how many came: fewer only at the end.
  public func read(appendingTo bytes: inout [UInt8], limit: Int) throws(FileError) -> Int {
    let start = bytes.count
    bytes.append(contentsOf: repeatElement(0, count: max(0, limit)))
    var (got, error) = (0, Int32(0))
    unsafe bytes.withUnsafeMutableBytes { buffer in
      while start + got < buffer.count {
        var count = 0
        let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[(start + got)...])
        error = unsafe clinux_read(file.number, rest.baseAddress, rest.count, &count)
        if error != 0 || count == 0 { break }
        got += count
      }
    }
    bytes.removeLast(bytes.count - start - got)
    if error != 0 { throw .readFailed(path: path, errno: error) }
    return got
  }

  /// Checks, at the end, that all of the file was read and that it is what it was before.
  ///
  /// - Parameters:
  ///   - version: what it was; when it was opened unless told.
  ///   - byteCount: the bytes that were read.
  /// - Throws: `FileError.changed`.
  public func checkUnchanged(since version: FileVersion? = nil, byteCount: Int) throws(FileError) {
    let (before, now) = (version ?? self.version, try file.version())
    guard now == before, byteCount == before.byteCount else {
      throw .changed(path: path, before: before.byteCount, now: now.byteCount)
    }
  }
}
