import Machine
import Operators

/// A directory of `config.json` and the tensors: `model.safetensors`, or `model.safetensors.index.json` with the files
/// that it names, or the same of PyTorch's `pytorch_model.bin`; the first of these that is there.
struct HuggingFaceCheckpoint: Sendable {
  static let fileName = "model.safetensors"
  static let indexName = "model.safetensors.index.json"
  static let pytorchName = "pytorch_model.bin"
  static let pytorchIndexName = "pytorch_model.bin.index.json"

  let source: HuggingFaceConfiguration
  let parameters: NamedParameters
  let tensors: [StoredTensor]

  /// - Throws: `FormatError`, naming the file and the tensor or the field that is off.
  init(path: String) throws(FormatError) {
    let configurationPath = path + "/" + HuggingFaceConfiguration.fileName
    do { source = try HuggingFaceConfiguration(path: configurationPath) } catch .file(.notFound) {
      throw .mismatch(
        path: path, field: "the directory", expected: "a Hugging Face checkpoint",
        found: "one without \(HuggingFaceConfiguration.fileName)")
    }
    tensors = try Self.tensors(in: path)
    var convention = NamedParameters.Convention()
    convention.isHeadTied = source.isHeadTied
    parameters = try NamedParameters(
      tensors, of: source.configuration, vocabularySize: source.configuration.vocabularySize,
      convention: convention, path: Self.onlyFile(of: tensors) ?? path)
  }

  /// The file that holds all tensors; nil where there are several.
  private static func onlyFile(of tensors: [StoredTensor]) -> String? {
    guard let path = tensors.first?.file.path, tensors.allSatisfy({ $0.file.path == path }) else {
      return nil
    }
    return path
  }

  private static func tensors(in path: String) throws(FormatError) -> [StoredTensor] {
    let ways: [(String, (String) throws(FormatError) -> [StoredTensor])] = [
      (fileName, { (file) throws(FormatError) in try SafetensorsFile(path: file).tensors }),
      (
        indexName,
        { (_) throws(FormatError) in
          try TensorIndex(directory: path, name: indexName).tensors { (file) throws(FormatError) in
            try SafetensorsFile(path: file).tensors
          }
        }
      ),
      (pytorchName, { (file) throws(FormatError) in try PyTorchFile(path: file).stateDictionary() }),
      (
        pytorchIndexName,
        { (_) throws(FormatError) in
          try TensorIndex(directory: path, name: pytorchIndexName).tensors { (file) throws(FormatError) in
            try PyTorchFile(path: file).stateDictionary()
          }
        }
      ),
    ]
    for (name, open) in ways {
      do { return try open(path + "/" + name) } catch .file(.notFound(path + "/" + name)) { continue }
    }
    throw .mismatch(
      path: path, field: "the directory", expected: "a Hugging Face checkpoint",
      found: "one without \(fileName), \(indexName) and \(pytorchName)")
  }
}
