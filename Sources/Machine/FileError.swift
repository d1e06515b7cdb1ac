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

extension FileError {
  /// Of the system's answer to opening `path`.
  init(opening path: String, errno: Int32) {
    self =
      switch SystemError(errno) {
      case .notFound: .notFound(path: path)
      case .permissionDenied: .permissionDenied(path: path)
      case .isDirectory: .isDirectory(path: path)
      case .exists: .exists(path: path)
      case .other: .openFailed(path: path, errno: errno)
      }
  }

  /// Of the system's answer to making or changing what is at `path`.
  init(writing path: String, errno: Int32) {
    self =
      switch SystemError(errno) {
      case .notFound: .noDirectory(path: path)
      case .permissionDenied: .permissionDenied(path: path)
      case .exists: .exists(path: path)
      case .isDirectory, .other: .writeFailed(path: path, errno: errno)
      }
  }
}

extension FileError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .notFound(let path): "Expected a file at \(path.shown), found nothing."
    case .isDirectory(let path): "Expected a file at \(path.shown), found a directory."
    case .noDirectory(let path):
      "Expected a directory to make \(Temporary.target(of: path).shown) in, found none."
    case .notRegularFile(let path):
      "Expected a regular file at \(path.shown), found a pipe, device or socket."
    case .permissionDenied(let path): "The system denies permission for \(Temporary.target(of: path).shown)."
    case .exists(let path):
      "\(Temporary.target(of: path).shown) exists already and is not overwritten: name another, or move it away."
    case .locked(let path, let process):
      "\(path.shown) is locked by another process\(process.map { ", number \($0)" } ?? "")."
    case .changed(let path, let before, let now):
      "\(path.shown) should stay as it is while it is read, but was changed meanwhile"
        + (before == now ? "." : ", from \(before) bytes to \(now).")
    case .openFailed(let path, let errno): "\(path.shown) cannot be opened: \(systemErrorText(errno))."
    case .readFailed(let path, let errno): "\(path.shown) cannot be read: \(systemErrorText(errno))."
    case .writeFailed(let path, let errno):
      "\(Temporary.target(of: path).shown) cannot be written: \(systemErrorText(errno))."
    }
  }
}
