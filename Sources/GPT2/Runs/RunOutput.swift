import JSON
import Machine

/// `output.json` of a run directory: size and checksum of the model that the run wrote elsewhere, so that it is known for
/// the run's own when the run goes on and writes it anew.
///
///     {"format": "gpt2 run output", "version": 1, "bytes": 498, "xxh64": "0123456789abcdef"}
struct RunOutput: Equatable {
  static let fileName = "output.json"
  private static let format = "gpt2 run output"

  let byteCount: Int
  let checksum: String

  /// Of what is at `path`: a file, or a directory, of which its weights count.
  ///
  /// - Throws: `FormatError`.
  /// - Complexity: reads every byte once.
  init(of path: String) throws(FormatError) {
    let isDirectory = Directory.exists(at: path)
    let file = try mapped(isDirectory ? path + "/" + HuggingFaceCheckpoint.fileName : path)
    (byteCount, checksum) = (file.byteCount, Checksum.text(Checksum.of(file)))
  }

  /// What was noted at `path`.
  ///
  /// - Throws: `FormatError`.
  init(notedAt path: String) throws(FormatError) {
    let json = JSONObject(try JSONValue(path: path), path: path)
    guard try json.string("format") == Self.format, try json.integer("version") == 1 else {
      throw json.mismatch(
        "format", expected: "'\(Self.format)', version 1", found: "'\(try json.string("format").shortened)'")
    }
    (byteCount, checksum) = (try json.integer("bytes"), try json.string("xxh64"))
  }

  /// - Throws: `FormatError`.
  func write(to path: String) throws(FormatError) {
    let json = JSONText.object([
      ("format", .text(Self.format)), ("version", .integer(1)), ("bytes", .integer(byteCount)),
      ("xxh64", .text(checksum)),
    ])
    try writing { () throws(FileError) in
      var file = try AtomicFile(path: path, overwrite: true)
      try file.write(Array((json.encoded + "\n").utf8))
      try file.commit()
    }
  }
}

extension Run {
  private var outputPath: String { path + "/" + RunOutput.fileName }

  /// Notes that the run wrote its model at `output`, a file or a directory.
  ///
  /// - Throws: `RunError.format`.
  /// - Complexity: reads every byte of the model's weights.
  public func noteWritten(_ output: String) throws(RunError) {
    do { try RunOutput(of: output).write(to: outputPath) } catch { throw .format(error) }
  }

  /// Whether the run wrote the model that is at `output`, as `noteWritten` saw it: nothing is lost where it is replaced.
  public func hasWritten(_ output: String) -> Bool {
    guard let noted = try? RunOutput(notedAt: outputPath) else { return false }
    return (try? RunOutput(of: output)) == noted
  }
}
