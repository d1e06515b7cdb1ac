/// Why a file could not be opened, read or written: one sentence that names the path.
public enum FileError: Error, Equatable, Sendable {
  case notFound(path: String)
  case isDirectory(path: String)
  /// A file was to be made in a directory that is not there.
  case noDirectory(path: String)
  /// A pipe, a device or a socket, where a file of known size is needed.
  case notRegularFile(path: String)
  case permissionDenied(path: String)
  /// The destination is there already and overwriting was not asked for.
  case exists(path: String)
  /// Another process has the lock, whose number it left in the file; nil where that is not to be read.
  case locked(path: String, process: Int?)
  /// It was written to, or cut, while it was read; sizes in bytes.
  case changed(path: String, before: Int, now: Int)
  case openFailed(path: String, errno: Int32)
  case readFailed(path: String, errno: Int32)
  case writeFailed(path: String, errno: Int32)
}

extension FileError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .notFound(let path): "Expected a file at \(path), found nothing."
    case .isDirectory(let path): "Expected a file at \(path), found a directory."
    case .noDirectory(let path): "Expected a directory to make \(path) in, found none."
    case .notRegularFile(let path): "Expected a regular file at \(path), found a pipe, device or socket."
    case .permissionDenied(let path): "The system denies permission for \(path)."
    case .exists(let path): "\(path) exists already and is not overwritten: name another, or move it away."
    case .locked(let path, let process):
      "\(path) is locked by another process\(process.map { ", number \($0)" } ?? "")."
    case .changed(let path, let before, let now):
      "\(path) should stay as it is while it is read, but was changed meanwhile"
        + (before == now ? "." : ", from \(before) bytes to \(now).")
    case .openFailed(let path, let errno): "\(path) cannot be opened: \(systemErrorText(errno))."
    case .readFailed(let path, let errno): "\(path) cannot be read: \(systemErrorText(errno))."
    case .writeFailed(let path, let errno): "\(path) cannot be written: \(systemErrorText(errno))."
    }
  }
}
