import CLinux

/// An open file, closed at the end of its life: what reading, writing and mapping share.
struct FileDescriptor: ~Copyable, Sendable {
  let path: String
  let number: Int32

  init(path: String, mode: clinux_open_mode) throws(FileError) {
    // A C string ends at its first zero byte: such a path would name another file.
    if path.utf8.contains(0) { throw .notFound(path: path) }
    var number: Int32 = -1
    let error = unsafe clinux_open(path.cString, mode, &number)
    if error != 0 { throw FileError(opening: path, errno: error) }
    self.path = path
    self.number = number
  }

  deinit {
    _ = clinux_close(number)
  }

  borrowing func status() throws(FileError) -> FileStatus {
    var status = clinux_status()
    let error = unsafe clinux_stat(number, &status)
    if error != 0 { throw .readFailed(path: path, errno: error) }
    return FileStatus(status)
  }

  /// The size of a regular file in bytes.
  borrowing func regularFileSize() throws(FileError) -> Int {
    let status = try status()
    switch status.kind {
    case .regular: return status.byteCount
    case .directory: throw .isDirectory(path: path)
    case .other: throw .notRegularFile(path: path)
    }
  }

  /// What a regular file is at the moment.
  borrowing func version() throws(FileError) -> FileVersion {
    let byteCount = try regularFileSize()
    var nanoseconds: Int64 = 0
    let error = unsafe clinux_modification_time(number, &nanoseconds)
    if error != 0 { throw .readFailed(path: path, errno: error) }
    return FileVersion(byteCount: byteCount, modificationTime: nanoseconds)
  }

  /// Everything up to the end, or `nil` when there are more than `limit` bytes: for the small files of sysfs and
  /// procfs, which give no size.
  borrowing func readAll(limit: Int) throws(FileError) -> [UInt8]? {
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 16_384)
    while bytes.count <= limit {
      var count = 0
      let error = unsafe chunk.withUnsafeMutableBytes { buffer in
        unsafe clinux_read(number, buffer.baseAddress, buffer.count, &count)
      }
      if error != 0 { throw .readFailed(path: path, errno: error) }
      if count == 0 { return bytes }
      bytes.append(contentsOf: chunk[..<count])
    }
    return nil
  }

  borrowing func write(_ bytes: RawSpan) throws(FileError) {
    let error = unsafe bytes.withUnsafeBytes { buffer in
      unsafe clinux_write_all(number, buffer.baseAddress, buffer.count)
    }
    if error != 0 { throw .writeFailed(path: path, errno: error) }
  }

  /// Writes `bytes` over what lies at `offset`; where the next `write` goes does not change.
  borrowing func write(_ bytes: RawSpan, at offset: Int) throws(FileError) {
    let error = unsafe bytes.withUnsafeBytes { buffer in
      unsafe clinux_write_all_at(number, buffer.baseAddress, buffer.count, Int64(offset))
    }
    if error != 0 { throw .writeFailed(path: path, errno: error) }
  }

  borrowing func sync() throws(FileError) {
    let error = clinux_sync(number)
    if error != 0 { throw .writeFailed(path: path, errno: error) }
  }

  /// Writes a line at the end, all of it or, where that fails, nothing.
  borrowing func append(line: RawSpan) throws(FileError) {
    let error = unsafe line.withUnsafeBytes { buffer in
      unsafe clinux_append_line(number, buffer.baseAddress, buffer.count)
    }
    if error != 0 { throw .writeFailed(path: path, errno: error) }
  }

  /// Takes the lock of what this process has just made; false where someone who removes stale files was faster.
  borrowing func lockNew() throws(FileError) -> Bool {
    let error = clinux_try_lock_new(number)
    if error != 0, error != CLINUX_EWOULDBLOCK { throw .writeFailed(path: path, errno: error) }
    return error == 0
  }
}
