/// The regular files in a directory and below it.
///
/// What a path names decides, not how it is called: a directory `x.txt` is looked into. Names that begin with a dot are
/// left out. A directory has one place in the tree, however many links lead to it, and its own before any link's; so no
/// link leads in a circle.
public struct DirectoryTree {
  /// Their paths below the directory, in the order of their bytes.
  public private(set) var files: [String] = []
  /// What was passed over because it cannot be looked at or into.
  public private(set) var passedOver: [FileError] = []
  /// Directories, pipes, devices and sockets by their paths below the directory, for those who look for files of such
  /// names: the error is what opening one as a file would be.
  public private(set) var others: [(path: String, error: FileError)] = []
  private var seen: Set<FileStatus.Identity> = []
  /// Directories that links lead to, whose turn comes when no others are left.
  private var linked: [String] = []
  private let root: String

  /// - Throws: `FileError` where `path` itself is no directory, or one that cannot be read.
  public init(path: String) throws(FileError) {
    root = path.utf8.last == UInt8(ascii: "/") ? path : path + "/"
    seen = [try FileStatus(path: path).identity]
    add(try Directory.names(in: path), below: "")
    while !linked.isEmpty { enter(linked.removeFirst()) }
    files.sort { $0.nameBytes.lexicographicallyPrecedes($1.nameBytes) }
  }

  private mutating func add(_ names: [String], below prefix: String) {
    for name in names where name.utf8.first != UInt8(ascii: ".") {
      let path = prefix + name
      do {
        let status = try FileStatus(path: root + path)
        switch status.kind {
        case .regular: files.append(path)
        case .directory:
          others.append((path, .isDirectory(path: root + path)))
          if status.isLink { linked.append(path) } else { enter(path) }
        case .other: others.append((path, .notRegularFile(path: root + path)))
        }
      } catch { passedOver.append(error) }
    }
  }

  private mutating func enter(_ path: String) {
    do throws(FileError) {
      guard seen.insert(try FileStatus(path: root + path).identity).inserted else { return }
      add(try Directory.names(in: root + path), below: path + "/")
    } catch { passedOver.append(error) }
  }
}
