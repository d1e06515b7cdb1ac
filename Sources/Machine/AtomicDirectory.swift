import CLinux
import Synchronization

/// A directory that appears whole or not at all, with the files that are written into it.
///
/// Files go to a temporary directory beside the destination; `commit()` syncs the directories, renames it and syncs
/// the one around it. Dropped without a commit, all of it is removed. A crash leaves at worst the temporary, whose
/// name is the destination's with `.temporary-PID-N` after it: `isTemporary`.
public struct AtomicDirectory: ~Copyable {
  public let path: String
  /// Where to write.
  public let temporaryPath: String
  private var renamed = false

  private static let mark = ".temporary-"
  private static let serial = Atomic<Int>(0)

  /// - Throws: `FileError` when the temporary cannot be made.
  public init(path: String) throws(FileError) {
    let serial = Self.serial.add(1, ordering: .relaxed).newValue
    let temporaryPath = "\(path)\(Self.mark)\(clinux_process_id())-\(serial)"
    do {
      let made = try NewDirectory(path: temporaryPath)
      made.keep()
    } catch {
      // The user gave the destination.
      switch error {
      case .noDirectory: throw .noDirectory(path: path)
      case .permissionDenied: throw .permissionDenied(path: path)
      case .writeFailed(_, let errno): throw .writeFailed(path: path, errno: errno)
      default: throw error
      }
    }
    self.init(path: path, temporaryPath: temporaryPath)
  }

  // Nothing here throws: a type with a deinit is initialized whole or not at all.
  private init(path: String, temporaryPath: String) {
    self.path = path
    self.temporaryPath = temporaryPath
  }

  deinit {
    if !renamed { try? Directory.removeTree(at: temporaryPath) }
  }

  /// Whether a name is that of a temporary which a crash may have left.
  public static func isTemporary(_ name: String) -> Bool { name.contains(mark) }

  /// The name under which a directory goes before it is removed, so that half of it is never taken for the whole.
  public static func temporaryName(of path: String) -> String {
    "\(path)\(mark)\(clinux_process_id())-\(serial.add(1, ordering: .relaxed).newValue)"
  }

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
    let error = unsafe clinux_rename(temporaryPath, path, 1)
    if error != 0 { throw .writeFailed(path: path, errno: error) }
    renamed = true
    try Directory.sync(Directory.parent(of: path))
  }
}
