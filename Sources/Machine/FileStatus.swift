import CLinux

/// What a path names, symbolic links followed.
public struct FileStatus: Sendable, Equatable {
  public enum Kind: Sendable {
    case regular, directory, other
  }

  public let kind: Kind
  public let byteCount: Int
  /// Whether the path itself is a symbolic link.
  let isLink: Bool
  let identity: Identity

  /// What tells a file from all others.
  struct Identity: Hashable, Sendable {
    let device, inode: UInt64
  }

  init(_ status: clinux_status) {
    kind =
      switch status.kind {
      case CLINUX_REGULAR: .regular
      case CLINUX_DIRECTORY: .directory
      default: .other
      }
    byteCount = Int(status.byte_count)
    isLink = status.is_link != 0
    identity = Identity(device: status.device, inode: status.inode)
  }

  /// - Throws: `FileError.notFound`, also for a link to nothing; any other `FileError`.
  public init(path: String) throws(FileError) {
    if path.utf8.contains(0) { throw .notFound(path: path) }
    var status = clinux_status()
    let error = unsafe clinux_stat_path(path.cString, &status)
    if error != 0 { throw FileError(opening: path, errno: error) }
    self.init(status)
  }

  /// The kind of what is at `path`; nil where there is nothing, or nothing that can be asked.
  public static func kind(at path: String) -> Kind? { (try? FileStatus(path: path))?.kind }
}
