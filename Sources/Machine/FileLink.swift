import CLinux

/// Where paths lead to, symbolic and hard links followed.
public enum FileLink {
  /// Whether both paths lead to one file or directory that is there.
  public static func isSame(_ path: String, _ other: String) -> Bool {
    if path.utf8.contains(0) || other.utf8.contains(0) { return false }
    return unsafe clinux_is_same_file(path.cString, other.cString) != 0
  }

  /// The file that a symbolic link at `path` leads to, for those who replace it and not the link; `path` itself where
  /// there is no link.
  public static func destination(of path: String) -> String {
    guard let found = resolved(path) else { return path }
    // A path that names the file itself is what the user gave.
    let name = path.split(separator: "/").last
    return found.split(separator: "/").last == name
      && isSame(Directory.parent(of: path), Directory.parent(of: found))
      ? path : found
  }

  /// The path of what is at `path`, without symbolic links; nil where there is nothing.
  public static func resolved(_ path: String) -> String? {
    if path.utf8.contains(0) { return nil }
    var resolved = [CChar](repeating: 0, count: 4096)
    guard unsafe clinux_resolve(path.cString, &resolved, resolved.count) == 0 else { return nil }
    return String(nameBytes: resolved.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) })
  }
}

extension FileDescriptor {
  /// Gives the file the permissions of the one at `path`; where there is none, or the system refuses, it keeps its own.
  borrowing func takeMode(of path: String) { _ = unsafe clinux_take_mode(number, path.cString) }
}
