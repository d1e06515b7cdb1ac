import JSON
import Machine

/// Which safetensors file of a directory holds which tensor, for models in several files.
///
///     {"metadata": {...}, "weight_map": {"wte.weight": "model-00001-of-00002.safetensors", ...}}
struct SafetensorsIndex {
  static let fileName = "model.safetensors.index.json"

  private let directory: String
  private let path: String
  /// The file of each tensor.
  private let places: [String: String]

  init(directory: String) throws(FormatError) {
    self.directory = directory
    path = directory + "/" + Self.fileName
    let map = try JSONObject(try JSONValue(path: path), path: path).object("weight_map")
    var places: [String: String] = [:]
    for name in try map.members().keys {
      let file = try map.string(name)
      // In this directory, whatever the index says.
      guard !file.isEmpty, file != ".", file != "..", !file.utf8.contains(where: { $0 == 0x2F || $0 == 0 })
      else {
        throw .mismatch(
          path: path, field: "the file of the tensor \(name.shortened)",
          expected: "the name of a file in the same directory", found: "'\(file.shortened)'")
      }
      places[name] = file
    }
    self.places = places
  }

  /// All files, opened, with the tensors that the index says and no others.
  func files() throws(FormatError) -> [SafetensorsFile] {
    let names = Set(places.values).sorted()
    var files: [SafetensorsFile] = []
    for name in names { files.append(try open(name)) }
    var missing = Set(places.keys)
    for (name, file) in zip(names, files) {
      for entry in file.entries {
        guard places[entry.name] == name else {
          throw .mismatch(
            path: path, field: "the file of the tensor \(entry.name.shortened)",
            expected: "\(name), which holds it", found: places[entry.name] ?? "missing")
        }
        missing.remove(entry.name)
      }
    }
    if let name = missing.min() {
      throw .mismatch(
        path: path, field: "the file of the tensor \(name.shortened)", expected: "one that holds it",
        found: places[name] ?? "missing")
    }
    return files
  }

  private func open(_ name: String) throws(FormatError) -> SafetensorsFile {
    do { return try SafetensorsFile(path: directory + "/" + name) } catch .file(.notFound) {
      throw .mismatch(
        path: path, field: "each file in weight_map", expected: "in the directory",
        found: "'\(name)', missing"
      )
    }
  }
}
