/// Why a file is not what it should be: one sentence that names it.
public enum FormatError: Error, CustomStringConvertible {
  /// The operating system refused the file.
  case file(FileError)
  /// What the file at `path` says is well formed and makes no sense: `reason`, a sentence.
  case invalid(path: String, reason: String)
  /// Less memory than a conversion needs.
  case memory(MemoryError)
  /// `field` of the file at `path` holds `found` where `expected` is needed.
  case mismatch(path: String, field: String, expected: String, found: String)

  public var description: String {
    switch self {
    case .file(let error): error.description
    case .invalid(let path, let reason): "\(path): \(reason)"
    case .memory(let error): error.description
    case .mismatch(let path, let field, let expected, let found):
      "\(path): \(field) should be \(expected), but is \(found)."
    }
  }
}

extension String {
  /// At most 100 characters of it: what an error shows of a text from a file.
  package var shortened: String { count <= 100 ? self : prefix(100) + "…" }
}

// MARK: - Files of a format

/// Maps the file at `path`.
package func mapped(_ path: String) throws(FormatError) -> MappedFile {
  do { return try MappedFile(path: path) } catch { throw .file(error) }
}

/// All bytes of the file at `path`.
package func contents(_ path: String) throws(FormatError) -> [UInt8] {
  do {
    let file = try FileReader(path: path)
    var bytes: [UInt8] = []
    _ = try file.read(appendingTo: &bytes, limit: file.version.byteCount)
    try file.checkUnchanged(byteCount: bytes.count)
    return bytes
  } catch { throw .file(error) }
}

/// Makes a new file of `bytes`, whole or not at all.
package func write(_ bytes: [UInt8], toNew path: String) throws(FormatError) {
  try writing { () throws(FileError) in
    var file = try AtomicFile(path: path)
    try file.write(bytes)
    try file.commit()
  }
}

/// Runs `body`, which only the system can fail.
package func writing<Result: ~Copyable>(
  _ body: () throws(FileError) -> Result
) throws(FormatError) -> Result {
  do { return try body() } catch { throw .file(error) }
}
