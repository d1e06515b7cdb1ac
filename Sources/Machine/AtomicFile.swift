import CLinux

/// A file that appears whole or not at all.
///
/// Bytes go to a temporary file beside the destination; `commit()` syncs it to the disk, renames it and syncs the
/// directory. The destination is what links lead to, and they stay. Dropped without a commit, the temporary is removed and the destination is what it was. A crash leaves at
/// worst the temporary, `NAME.temporary-PID-N`, which goes when the next file is written in the same directory.
public struct AtomicFile: ~Copyable, Sendable {
  public let path: String
  private let file: FileDescriptor
  private let entry: TemporaryEntry
  private let overwrite: Bool
  private var renamed = false

  /// - Throws: `FileError.exists` when the destination is there and `overwrite` is false; any other `FileError`
  ///   when the temporary cannot be made.
  public init(path: String, overwrite: Bool = false) throws(FileError) {
    let path = FileLink.destination(of: path)
    if let kind = FileStatus.kind(at: path) {
      if kind == .directory { throw .isDirectory(path: path) }
      if !overwrite { throw .exists(path: path) }
      if kind != .regular { throw .notRegularFile(path: path) }
    }
    let made: Temporary.Made
    do {
      made = try Temporary.make(for: path, in: Directory.parent(of: path)) {
        temporaryPath throws(FileError) in
        try FileDescriptor(path: temporaryPath, mode: CLINUX_CREATE)
      }
    } catch { throw Self.error(error, at: path) }
    // One that is replaced keeps its permissions.
    if overwrite { made.file.takeMode(of: path) }
    self.init(path: path, made, overwrite: overwrite)
  }

  /// Names the destination, which the user gave, where the temporary could not be made.
  private static func error(_ error: FileError, at path: String) -> FileError {
    switch error {
    case .permissionDenied: .permissionDenied(path: path)
    case .openFailed(_, let errno), .writeFailed(_, let errno): .writeFailed(path: path, errno: errno)
    default: .noDirectory(path: path)
    }
  }

  // Nothing here throws: a type with a deinit is initialized whole or not at all.
  private init(path: String, _ made: consuming Temporary.Made, overwrite: Bool) {
    self.path = path
    entry = made.entry
    file = made.file
    self.overwrite = overwrite
  }

  deinit {
    if !renamed { _ = unsafe clinux_remove(file.path.cString) }
  }

  public mutating func write(_ bytes: [UInt8]) throws(FileError) {
    try unsafe file.write(bytes.span.bytes)
  }

  /// Writes the tensor's elements, float32, as they are.
  public mutating func write(_ tensor: Tensor) throws(FileError) {
    try tensor.withSpan { span throws(FileError) in try unsafe file.write(span.bytes) }
  }

  /// Writes the integers as little-endian ones.
  public mutating func write<Integer: FixedWidthInteger & BitwiseCopyable>(
    integers: [Integer]
  ) throws(FileError) {
    // The host is little-endian: CLinux.h refuses to compile elsewhere.
    try unsafe file.write(integers.span.bytes)
  }

  /// Writes `bytes` over what was written at `offset`, such as a header whose fields are known last.
  public mutating func overwrite(at offset: Int, with bytes: [UInt8]) throws(FileError) {
    try unsafe file.write(bytes.span.bytes, at: offset)
  }

  /// Makes the bytes written so far the file at `path`, durably, or at `otherPath` in the same directory, for
  /// files whose name depends on what was written.
  ///
  /// - Throws: `FileError`; but for a failed sync of the directory, the destination is then untouched.
  public consuming func commit(as otherPath: String? = nil) throws(FileError) {
    let path = otherPath ?? path
    try file.sync()
    let error = unsafe clinux_rename(file.path.cString, path.cString, overwrite ? 1 : 0)
    if error != 0 {
      throw error == CLINUX_EEXIST ? .exists(path: path) : .writeFailed(path: path, errno: error)
    }
    renamed = true
    try Directory.sync(Directory.parent(of: path))
  }
}
