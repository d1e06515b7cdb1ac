import CLinux

/// A directory that appears whole or not at all, with the files that are written into it.
///
/// Files go to a temporary directory beside the destination, which is what links lead to; `commit()` syncs the directories, renames it and syncs
/// the one around it. Dropped without a commit, all of it is removed. A crash leaves at worst the temporary, whose
/// name is the destination's with `.temporary-PID-N` after it (`isTemporary`), and which goes when the next file or
/// directory is written beside it.
public struct AtomicDirectory: ~Copyable {
  public let path: String
  private let directory: FileDescriptor
  private let entry: TemporaryEntry
  private var renamed = false

  /// Where to write.
  public var temporaryPath: String { directory.path }

  /// - Throws: `FileError` when the temporary cannot be made.
  public init(path: String) throws(FileError) {
    if path.utf8.contains(0) { throw .notFound(path: path) }
    let path = FileLink.destination(of: path)
    let made = try Temporary.make(for: path, in: Directory.parent(of: path)) {
      temporaryPath throws(FileError) in
      let error = unsafe clinux_make_directory(temporaryPath.cString)
      // The user gave the destination.
      if error != 0 { throw FileError(writing: path, errno: error) }
      return try FileDescriptor(path: temporaryPath, mode: CLINUX_READ)
    }
    self.init(path: path, made)
  }

  // Nothing here throws: a type with a deinit is initialized whole or not at all.
  private init(path: String, _ made: consuming Temporary.Made) {
    self.path = path
    entry = made.entry
    directory = made.file
  }

  deinit {
    if !renamed { try? Directory.removeTree(at: directory.path) }
  }

  /// Whether a name is that of a temporary which a crash may have left.
  public static func isTemporary(_ name: String) -> Bool { Temporary.isTemporary(name) }

  /// The name under which a directory goes before it is removed, so that half of it is never taken for the whole.
  public static func temporaryName(of path: String) -> String { Temporary.name(for: path) }

  /// Makes what was written the directory at `path`, durably. Files in it are synced by whoever wrote them.
  ///
  /// - Throws: `FileError`: a directory with something in it is at `path`, or the system fails; but for a failed sync
  ///   of the directory around it, what is at `path` is then untouched.
  public consuming func commit() throws(FileError) {
    for name in try Directory.names(in: temporaryPath) where Directory.exists(at: temporaryPath + "/" + name)
    {
      try Directory.sync(temporaryPath + "/" + name)
    }
    try Directory.sync(temporaryPath)
    let error = unsafe clinux_rename(temporaryPath.cString, path.cString, 1)
    if error != 0 { throw .writeFailed(path: path, errno: error) }
    renamed = true
    try Directory.sync(Directory.parent(of: path))
  }
}
