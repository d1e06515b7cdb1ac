import CLinux

/// An open file, closed at the end of its life: what reading, writing and mapping share.
struct FileDescriptor: ~Copyable, Sendable {
  let path: String
  let number: Int32

  init(path: String, mode: clinux_open_mode) throws(FileError) {
    // A C string ends at its first zero byte: such a path would name another file.
    if path.utf8.contains(0) { throw .notFound(path: path) }
    var number: Int32 = -1
    let error = unsafe clinux_open(path, mode, &number)
    if error != 0 { throw Self.openError(error, path: path) }
    self.path = path
    self.number = number
  }

  deinit {
    _ = clinux_close(number)
  }

  private static func openError(_ error: Int32, path: String) -> FileError {
    switch SystemError(error) {
    case .notFound: .notFound(path: path)
    case .permissionDenied: .permissionDenied(path: path)
    case .isDirectory: .isDirectory(path: path)
    case .exists: .exists(path: path)
    case .other: .openFailed(path: path, errno: error)
    }
  }

  /// The size of a regular file in bytes.
  borrowing func regularFileSize() throws(FileError) -> Int {
    var kind = CLINUX_OTHER
    var byteCount: Int64 = 0
    let error = unsafe clinux_stat(number, &kind, &byteCount)
    if error != 0 { throw .readFailed(path: path, errno: error) }
    if kind == CLINUX_DIRECTORY { throw .isDirectory(path: path) }
    guard kind == CLINUX_REGULAR, let size = Int(exactly: byteCount), size >= 0 else {
      throw .notRegularFile(path: path)
    }
    return size
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

  /// Maps `byteCount` > 0 bytes read-only; whoever holds the address unmaps it.
  @unsafe borrowing func map(byteCount: Int) throws(FileError) -> UnsafeRawPointer {
    var address: UnsafeRawPointer?
    let error = unsafe clinux_map_file(number, byteCount, &address)
    guard error == 0, let address = unsafe address else { throw .readFailed(path: path, errno: error) }
    return unsafe address
  }
}
