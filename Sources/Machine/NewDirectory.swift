import CLinux

/// A directory made where none was, for files that are written into it: without a `keep()` it goes again, unless
/// something is in it by then. One that was there stays in any case.
public struct NewDirectory: ~Copyable {
  private let path: String
  private var removesAtEnd: Bool

  /// - Throws: `FileError` when something else is at `path`, or the directory cannot be made.
  public init(path: String) throws(FileError) {
    if path.utf8.contains(0) { throw .notFound(path: path) }
    let error = unsafe clinux_make_directory(path)
    switch SystemError(error) {
    case _ where error == 0: break
    case .exists:
      var kind = CLINUX_OTHER
      guard unsafe clinux_stat_path(path, &kind) == 0, kind == CLINUX_DIRECTORY else {
        throw .exists(path: path)
      }
    case .notFound: throw .noDirectory(path: path)
    case .permissionDenied: throw .permissionDenied(path: path)
    default: throw .writeFailed(path: path, errno: error)
    }
    self.init(path: path, removesAtEnd: error == 0)
  }

  // Nothing here throws: a type with a deinit is initialized whole or not at all.
  private init(path: String, removesAtEnd: Bool) {
    self.path = path
    self.removesAtEnd = removesAtEnd
  }

  deinit {
    if removesAtEnd { _ = unsafe clinux_remove_directory(path) }
  }

  /// What was to be put in it is there.
  public consuming func keep() { removesAtEnd = false }
}
