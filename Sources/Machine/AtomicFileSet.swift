import CLinux

/// Files that are made together in a directory that has others: while they are written they lie in a temporary directory
/// in it, and `commit()` gives them their places.
///
/// Names change one by one, so that a process may be killed among them. The temporary directory holds a list of the names
/// then, and the next writer in the directory takes back what was moved: the work can be done again. The first name is
/// that of the file which tells what belongs together, so that what is missing is noticed; where the last one has its
/// place all is done.
public struct AtomicFileSet: ~Copyable {
  /// With a slash at its end.
  private let prefix: String
  private let temporary: FileDescriptor
  private var entry: TemporaryEntry?

  private static let listName = ".names"

  /// Where to write files, durably, under the names that they will have.
  public var temporaryPath: String { temporary.path }

  /// - Throws: `FileError` when the temporary directory cannot be made in `directory`.
  public init(in directory: String) throws(FileError) {
    let prefix = directory.utf8.last == UInt8(ascii: "/") ? directory : directory + "/"
    let made = try Temporary.make(for: prefix, in: prefix) { temporaryPath throws(FileError) in
      let error = unsafe clinux_make_directory(temporaryPath.cString)
      if error != 0 { throw FileError(writing: prefix, errno: error) }
      return try FileDescriptor(path: temporaryPath, mode: CLINUX_READ)
    }
    self.init(prefix: prefix, made)
  }

  // Nothing here throws: a type with a deinit is initialized whole or not at all.
  private init(prefix: String, _ made: consuming Temporary.Made) {
    self.prefix = prefix
    let entry = made.entry
    self.entry = consume entry
    temporary = made.file
  }

  deinit { try? Directory.removeTree(at: temporary.path) }

  /// Gives the files their places, `first` before all others.
  ///
  /// - Throws: `FileError.exists` where one is taken; any other `FileError`. None has its place then.
  public consuming func commit(first: String) throws(FileError) {
    let others = try Directory.names(in: temporaryPath).filter { $0 != first }
    let names = [first] + others
    for name in names where FileStatus.kind(at: prefix + name) != nil {
      throw .exists(path: prefix + name)
    }
    var list = try AtomicFile(path: temporaryPath + "/" + Self.listName)
    try list.write(names.flatMap { $0.nameBytes + [0] })
    try list.commit()
    // From here on the list is needed: a signal leaves it to the next writer.
    entry = nil
    for name in names {
      let (from, to) = (temporaryPath + "/" + name, prefix + name)
      let error = unsafe clinux_rename(from.cString, to.cString, 0)
      if error != 0 {
        Self.takeBack(temporaryPath, in: prefix)
        throw FileError(writing: to, errno: error)
      }
    }
    try Directory.sync(prefix)
  }

  /// Removes the files of a set that were moved from `temporaryPath` to their places, unless all of them were.
  ///
  /// - Parameter prefix: the directory that both are in, with a slash at its end.
  static func takeBack(_ temporaryPath: String, in prefix: String) {
    guard let list = try? contents(temporaryPath + "/" + listName) else { return }
    let names = list.split(separator: 0).map { String(nameBytes: Array($0)) }
    guard let last = names.last, FileStatus.kind(at: temporaryPath + "/" + last) != nil else { return }
    for name in names where !name.utf8.contains(UInt8(ascii: "/")) {
      if FileStatus.kind(at: temporaryPath + "/" + name) == nil {
        _ = unsafe clinux_remove((prefix + name).cString)
      }
    }
  }
}
