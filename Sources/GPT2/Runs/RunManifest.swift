import JSON
import Machine

/// `manifest.json` of a kept step, written last: the size and the checksum of every file. A step without one, or whose
/// files are not as it says, is damaged.
///
///     {"format": "gpt2 run manifest", "version": 1, "checksum": "xxh64", "files": [{"name", "bytes", "xxh64"}, ...]}
enum RunManifest {
  static let fileName = "manifest.json"
  private static let format = "gpt2 run manifest"

  /// Takes in the files `names` of the step's `directory`.
  static func text(_ names: [String], in directory: String) throws(FormatError) -> String {
    var files: [JSONText] = []
    for name in names {
      let file = try mapped(directory + "/" + name)
      files.append(
        .object([
          ("name", .text(name)), ("bytes", .integer(file.byteCount)),
          ("xxh64", .text(Checksum.text(Checksum.of(file)))),
        ]))
    }
    let json = JSONText.object([
      ("format", .text(format)), ("version", .integer(1)), ("checksum", .text("xxh64")),
      ("files", .array(files)),
    ])
    return json.indented + "\n"
  }

  /// Checks all files of the step.
  ///
  /// - Throws: `FormatError`, naming the file and what is off.
  /// - Complexity: reads every byte once.
  static func check(_ directory: String) throws(FormatError) {
    let path = directory + "/" + fileName
    let json = JSONObject(try JSONValue(path: path), path: path)
    guard try json.string("format") == format, try json.integer("version") == 1,
      try json.string("checksum") == "xxh64"
    else {
      throw json.mismatch(
        "format", expected: "'\(format)', version 1 with xxh64", found: "'\(try json.string("format"))'")
    }
    guard case .array(let values) = try json["files"] else {
      throw json.mismatch("files", expected: "an array", found: "none")
    }
    var names: Set<String> = []
    for value in values { names.insert(try check(JSONObject(value, path: path, what: "a file"), directory)) }
    for name in RunStep.files where !names.contains(name) {
      throw json.mismatch("files", expected: "with \(name)", found: "without it")
    }
  }

  /// - Returns: the file's name.
  private static func check(_ entry: JSONObject, _ directory: String) throws(FormatError) -> String {
    let (name, byteCount) = (try entry.string("name"), try entry.integer("bytes"))
    // In this directory, whatever the manifest says.
    guard !name.isEmpty, !name.hasPrefix("/"), !name.split(separator: "/").contains("..") else {
      throw entry.mismatch("name", expected: "within the step", found: "'\(name.shortened)'")
    }
    let file = try mapped(directory + "/" + name)
    guard file.byteCount == byteCount else {
      throw .mismatch(
        path: file.path, field: "the file's size", expected: "the \(byteCount) bytes of the manifest",
        found: "\(file.byteCount)")
    }
    let (checksum, expected) = (Checksum.text(Checksum.of(file)), try entry.string("xxh64"))
    guard checksum == expected else {
      throw .mismatch(
        path: file.path, field: "the file's checksum",
        expected: "\(expected.shortened), as the manifest says",
        found: checksum)
    }
    return name
  }
}
