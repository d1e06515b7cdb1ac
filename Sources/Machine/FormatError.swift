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
    case .invalid(let path, let reason): "\(path.shown): \(reason)"
    case .memory(let error): error.description
    case .mismatch(let path, let field, let expected, let found):
      "\(path.shown): \(field.quoted) should be \(expected.quoted), but is \(found.quoted)."
    }
  }
}

extension String {
  /// At most 100 characters of it: what an error shows of a text from a file.
  package var shortened: String { utf8.count <= 100 || count <= 100 ? self : prefix(100) + "…" }

  /// As a part of an error: a text from a file may have steered a terminal, or have been 20 MB long.
  fileprivate var quoted: String {
    (utf8.count <= 400 ? self : prefix(400) + "…").shown
  }
}

// MARK: - Files of a format

/// What is read whole has at most so many bytes, unless its reader says otherwise: vocabularies, merges and manifests have
/// a tenth of it at most.
package let largestWholeFile = 64 << 20

/// Maps the file at `path`.
package func mapped(_ path: String) throws(FormatError) -> MappedFile {
  do { return try MappedFile(path: path) } catch { throw .file(error) }
}

/// All bytes of the file at `path`.
///
/// - Throws: `FormatError`: it cannot be read, or has more than `limit` bytes.
package func contents(_ path: String, limit: Int = largestWholeFile) throws(FormatError) -> [UInt8] {
  let file: FileReader
  do { file = try FileReader(path: path) } catch { throw .file(error) }
  try checkReadWhole(file.version.byteCount, limit: limit, path: path)
  var bytes: [UInt8] = []
  do {
    _ = try file.read(appendingTo: &bytes, limit: file.version.byteCount)
    try file.checkUnchanged(byteCount: bytes.count)
  } catch { throw .file(error) }
  return bytes
}

/// All bytes of the text at `path`, without a byte order mark at its beginning.
///
/// - Throws: as `contents(_:limit:)`, and for a file that begins as no text does.
package func textContents(_ path: String, limit: Int = largestWholeFile) throws(FormatError) -> [UInt8] {
  let file = try mapped(path)
  try FileKind.refuse(file, expected: FileKind.text.name, of: FileKind.unlikeText)
  let bytes = try contents(path, limit: limit)
  return FileKind.detect(file) == .utf8Mark ? Array(bytes.dropFirst(3)) : bytes
}

/// For those who make of a mapped file as much as of one that is read whole.
package func checkReadWhole(
  _ byteCount: Int, limit: Int = largestWholeFile, path: String
) throws(FormatError) {
  guard byteCount <= limit else {
    throw .mismatch(
      path: path, field: "the file's size", expected: "at most \(limit) bytes, as it is read whole",
      found: "\(byteCount)")
  }
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
