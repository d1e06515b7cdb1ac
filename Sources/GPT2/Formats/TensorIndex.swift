import JSON
import Machine

/// Which file of a directory holds which tensor, for models in several files of safetensors or PyTorch's.
///
///     {"metadata": {...}, "weight_map": {"wte.weight": "model-00001-of-00002.safetensors", ...}}
struct TensorIndex {

  private let directory: String
  private let path: String
  /// The file of each tensor.
  private let places: [String: String]

  init(directory: String, name: String) throws(FormatError) {
    self.directory = directory
    path = directory + "/" + name
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

  /// The names of the files, in the directory.
  var fileNames: [String] { Set(places.values).sorted() }

  /// The tensors of all files, those that the index says and no others.
  func tensors(
    _ open: (_ path: String) throws(FormatError) -> [StoredTensor]
  ) throws(FormatError) -> [StoredTensor] {
    var tensors: [StoredTensor] = []
    var missing = Set(places.keys)
    var files: [(name: String, tensors: [StoredTensor])] = []
    for name in fileNames { files.append((name, try opened(name, open))) }
    for (name, stored) in files {
      for tensor in stored {
        guard places[tensor.entry.name] == name else {
          throw .mismatch(
            path: path, field: "the file of the tensor \(tensor.entry.name.shortened)",
            expected: "\(name), which holds it", found: places[tensor.entry.name] ?? "missing")
        }
        missing.remove(tensor.entry.name)
        tensors.append(tensor)
      }
    }
    if let name = missing.min() {
      throw .mismatch(
        path: path, field: "the file of the tensor \(name.shortened)", expected: "one that holds it",
        found: places[name] ?? "missing")
    }
    return tensors
  }

  private func opened(
    _ name: String, _ open: (_ path: String) throws(FormatError) -> [StoredTensor]
  ) throws(FormatError) -> [StoredTensor] {
    do { return try open(directory + "/" + name) } catch .file(.notFound) {
      throw .mismatch(
        path: path, field: "each file in weight_map", expected: "in the directory",
        found: "'\(name)', missing"
      )
    }
  }
}
