import CLinux

/// A directory made where none was, for files that are written into it: without a `keep()` it goes again, also where a
/// signal ends the process, unless something is in it by then. One that was there stays in any case.
public struct NewDirectory: ~Copyable {
  /// Those that were made, inner ones first.
  private var made: [String] = []
  /// What goes where a signal ends the process.
  private var entries: [Int32] = []

  /// - Parameter withParents: makes the directories around it, too.
  /// - Throws: `FileError` when something else is at `path`, or the directory cannot be made.
  public init(path: String, withParents: Bool = false) throws(FileError) {
    if path.utf8.contains(0) { throw .notFound(path: path) }
    var missing = [path]
    while withParents, case let parent = Directory.parent(of: missing[missing.count - 1]),
      parent.utf8.count < missing[missing.count - 1].utf8.count, FileStatus.kind(at: parent) == nil
    {
      missing.append(parent)
    }
    var made: [String] = []
    do {
      for directory in missing.reversed() where try Self.make(directory) { made.insert(directory, at: 0) }
    } catch {
      for directory in made { _ = unsafe clinux_remove_directory(directory.cString) }
      throw error
    }
    self.init(made: made)
  }

  // Nothing here throws: a type with a deinit is initialized whole or not at all.
  private init(made: [String]) {
    self.made = made
    entries = made.map { unsafe clinux_add_temporary($0.cString, CLINUX_EMPTY_DIRECTORY) }
  }

  deinit {
    for entry in entries { clinux_forget_temporary(entry) }
    for directory in made { _ = unsafe clinux_remove_directory(directory.cString) }
  }

  /// Whether it was not there.
  private static func make(_ path: String) throws(FileError) -> Bool {
    let error = unsafe clinux_make_directory(path.cString)
    if error == 0 { return true }
    if error == CLINUX_EEXIST, FileStatus.kind(at: path) == .directory { return false }
    throw FileError(writing: path, errno: error)
  }

  /// What was to be put in it is there.
  public consuming func keep() { made = [] }
}
