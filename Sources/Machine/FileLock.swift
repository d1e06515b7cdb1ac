import CLinux

/// A lock that one process at a time has, by way of a file that holds its number.
///
/// The kernel lets go of it when the process ends, however it ends. The file stays, as removing it would let two
/// processes lock two files of the same name.
public final class FileLock: Sendable {
  private let file: FileDescriptor

  /// - Throws: `FileError.locked` with the holder's number; any other `FileError`.
  public init(path: String) throws(FileError) {
    do { file = try FileDescriptor(path: path, mode: CLINUX_UPDATE) } catch .notFound {
      throw .noDirectory(path: path)
    }
    let error = clinux_try_lock_file(file.number)
    if error == CLINUX_EWOULDBLOCK {
      let text = (try? file.readAll(limit: 32)).flatMap { $0 } ?? []
      throw .locked(path: path, process: Int(String(decoding: text.prefix { $0 != 0x0A }, as: UTF8.self)))
    }
    if error != 0 { throw .writeFailed(path: path, errno: error) }
    let truncation = clinux_truncate(file.number)
    if truncation != 0 { throw .writeFailed(path: path, errno: truncation) }
    try unsafe file.write(Array("\(clinux_process_id())\n".utf8).span.bytes)
  }
}
