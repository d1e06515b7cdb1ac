import CLinux

/// Where paths lead to, symbolic and hard links followed.
public enum FileLink {
  /// Whether both paths lead to one file or directory that is there.
  public static func isSame(_ path: String, _ other: String) -> Bool {
    if path.utf8.contains(0) || other.utf8.contains(0) { return false }
    return unsafe clinux_is_same_file(path.cString, other.cString) != 0
  }

  /// The file that a symbolic link at `path` leads to, also where it is still to be made, for those who write it and do
  /// not replace the link; `path` itself where there is no link.
  static func destination(of path: String) -> String {
    guard let found = resolved(path) else { return missing(at: path) }
    // A path that names the file itself is what the user gave.
    let name = path.split(separator: "/").last
    return found.split(separator: "/").last == name
      && isSame(Directory.parent(of: path), Directory.parent(of: found))
      ? path : found
  }

  /// What links lead to that lead to nothing yet.
  private static func missing(at path: String) -> String {
    var path = path
    // As many as the system follows.
    for _ in 0..<40 {
      guard let target = target(of: path) else { return path }
      path = target.hasPrefix("/") ? target : Directory.prefix(of: path) + target
    }
    return path
  }

  /// What a symbolic link says; nil where there is none.
  private static func target(of path: String) -> String? {
    if path.utf8.contains(0) { return nil }
    var target = [CChar](repeating: 0, count: 4096)
    guard unsafe clinux_read_link(path.cString, &target, target.count) == 0 else { return nil }
    return String(nameBytes: target.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) })
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
