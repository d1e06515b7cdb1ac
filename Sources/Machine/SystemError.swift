import CLinux

/// The errno values that get a sentence of their own.
enum SystemError {
  case notFound, permissionDenied, isDirectory, exists, other

  init(_ errno: Int32) {
    self =
      switch errno {
      case CLINUX_ENOENT: .notFound
      case CLINUX_EACCES, CLINUX_EPERM: .permissionDenied
      case CLINUX_EISDIR: .isDirectory
      case CLINUX_EEXIST: .exists
      default: .other
      }
  }
}

/// The system's words for an errno.
func systemErrorText(_ errno: Int32) -> String {
  var text = [CChar](repeating: 0, count: 128)
  unsafe clinux_error_text(errno, &text, text.count)
  let bytes = text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
  return "\(String(decoding: bytes, as: UTF8.self)) (errno \(errno))"
}
