import CLinux

/// A directory made where none was, for files that are written into it: without a `keep()` it goes again, also where a
/// signal ends the process, unless something is in it by then. One that was there stays in any case.
public struct NewDirectory: ~Copyable {
  /// Those that were made, inner ones first, and what goes of them where a signal ends the process.
  private var made: [(path: String, entry: Int32)] = []

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
    var made: [(path: String, entry: Int32)] = []
    do {
      for directory in missing.reversed() {
        if let entry = try Self.make(directory) { made.insert((directory, entry), at: 0) }
      }
    } catch {
      Self.remove(made)
      throw error
    }
    self.init(made: made)
  }

  // Nothing here throws: a type with a deinit is initialized whole or not at all.
  private init(made: [(path: String, entry: Int32)]) { self.made = made }

  deinit { Self.remove(made) }

  private static func remove(_ made: [(path: String, entry: Int32)]) {
    for (path, entry) in made {
      _ = unsafe clinux_remove_directory(path.cString)
      clinux_forget_temporary(entry)
    }
  }

  /// The signals' entry of a directory that is made; nil where it is there already.
  private static func make(_ path: String) throws(FileError) -> Int32? {
    // First, as a signal must not take an empty directory that somebody else made.
    if FileStatus.kind(at: path) == .directory { return nil }
    // Before it is there: a signal may come between any two steps.
    let entry = unsafe clinux_add_temporary(path.cString, CLINUX_EMPTY_DIRECTORY)
    let error = unsafe clinux_make_directory(path.cString)
    if error == 0 { return entry }
    clinux_forget_temporary(entry)
    if error == CLINUX_EEXIST, FileStatus.kind(at: path) == .directory { return nil }
    throw FileError(writing: path, errno: error)
  }

  /// What was to be put in it is there.
  public consuming func keep() {
    for (_, entry) in made { clinux_forget_temporary(entry) }
    made = []
  }
}
