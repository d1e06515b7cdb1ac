import CLinux

/// What is in a directory.
public enum Directory {
  /// The names in the directory at `path`, in the order of their bytes.
  ///
  /// - Throws: `FileError`.
  public static func names(in path: String) throws(FileError) -> [String] {
    if path.utf8.contains(0) { throw .notFound(path: path) }
    var directory: UnsafeMutableRawPointer?
    let error = unsafe clinux_open_directory(path.cString, &directory)
    guard error == 0, let directory = unsafe directory else { throw FileError(opening: path, errno: error) }
    defer { unsafe clinux_close_directory(directory) }
    var names: [[UInt8]] = []
    while true {
      var name = [CChar](repeating: 0, count: 256)
      let error = unsafe clinux_next_name(directory, &name, name.count)
      if error != 0 { throw .readFailed(path: path, errno: error) }
      let bytes = name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
      if bytes.isEmpty { break }
      names.append(bytes)
    }
    return names.sorted { $0.lexicographicallyPrecedes($1) }.map { String(nameBytes: $0) }
  }

  /// Whether there is a directory at `path`, symbolic links followed.
  public static func exists(at path: String) -> Bool { FileStatus.kind(at: path) == .directory }

  /// Removes what is at `path`, with all that is in it; symbolic links are removed and not followed. That there is
  /// nothing is fine.
  ///
  /// - Throws: `FileError.writeFailed`; part of it is gone then.
  public static func removeTree(at path: String) throws(FileError) {
    if path.utf8.contains(0) { return }
    let error = unsafe clinux_remove(path.cString)
    switch SystemError(error) {
    case _ where error == 0: return
    case .notFound: return
    case .isDirectory: break
    default: throw .writeFailed(path: path, errno: error)
    }
    for name in try names(in: path) { try removeTree(at: path + "/" + name) }
    let directoryError = unsafe clinux_remove_directory(path.cString)
    if directoryError != 0 { throw .writeFailed(path: path, errno: directoryError) }
  }

  /// Renames a directory within its own, durably. One that is at `newPath` is replaced where it is empty.
  ///
  /// - Throws: `FileError`.
  public static func rename(_ path: String, to newPath: String) throws(FileError) {
    let error = unsafe clinux_rename(path.cString, newPath.cString, 1)
    if error != 0 { throw .writeFailed(path: newPath, errno: error) }
    try sync(parent(of: newPath))
  }

  /// Makes the name of a directory durable, which was made in another.
  ///
  /// - Throws: `FileError.writeFailed`.
  public static func syncName(of path: String) throws(FileError) { try sync(parent(of: path)) }

  /// Makes the names in the directory durable.
  static func sync(_ path: String) throws(FileError) {
    let error = unsafe clinux_sync_directory(path.cString)
    if error != 0 { throw .writeFailed(path: path, errno: error) }
  }

  /// The directory that `path` is in.
  public static func parent(of path: String) -> String {
    var bytes = path.utf8[...]
    while bytes.count > 1, bytes.last == UInt8(ascii: "/") { bytes.removeLast() }
    guard let slash = bytes.lastIndex(of: UInt8(ascii: "/")) else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }

  /// What comes before the name in `path`: the directory and a slash, or nothing.
  public static func prefix(of path: String) -> String {
    path.utf8.lastIndex(of: UInt8(ascii: "/")).map { String(path[...$0]) } ?? ""
  }
}
