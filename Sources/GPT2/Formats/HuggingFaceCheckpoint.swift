import Machine
import Operators

/// A directory of `config.json` and either `model.safetensors` or, where that is missing,
/// `model.safetensors.index.json` with the files that it names.
struct HuggingFaceCheckpoint: Sendable {
  static let fileName = "model.safetensors"

  let configuration: Configuration
  /// The coarsest of the tensors'.
  let precision: Precision
  /// Of the safetensors files.
  let byteCount: Int
  /// By name, without the prefix.
  private let tensors: [String: StoredTensor]

  /// - Throws: `FormatError`, naming the file and the tensor or the field that is off.
  init(path: String) throws(FormatError) {
    let configurationPath = path + "/" + HuggingFaceConfiguration.fileName
    do { configuration = try HuggingFaceConfiguration.read(path: configurationPath) } catch .file(.notFound) {
      throw .mismatch(
        path: path, field: "the directory", expected: "a Hugging Face checkpoint",
        found: "one without \(HuggingFaceConfiguration.fileName)")
    }
    let files = try Self.files(in: path)
    byteCount = files.reduce(0) { $0 + $1.byteCount }
    tensors = try Self.tensors(of: files)
    precision = try Self.check(tensors, configuration, path: files.count == 1 ? files[0].path : path)
  }

  /// Rows that pad the vocabulary become zero.
  func load(_ part: ParameterPart, into tensor: Tensor, context: ExecutionContext) {
    guard let stored = tensors[HuggingFaceTensors.name(part)] else {
      preconditionFailure("\(part.parameter.name) was there when the checkpoint was opened")
    }
    stored.file.file.withBytes(in: stored.entry.bytes) { bytes in
      if HuggingFaceTensors.isTransposed(part) {
        let matrix = tensor.matrix(columns: stored.entry.shape[0])
        Transposition.expand(bytes, from: stored.precision, y: matrix, context: context)
      } else {
        let count = stored.entry.shape.reduce(1, *)
        Conversion.expand(bytes, from: stored.precision, y: tensor.slice(0..<count), context: context)
        tensor.slice(count..<tensor.count).fill(0)
      }
    }
  }
}

/// A tensor in one of the files.
struct StoredTensor: Sendable {
  let file: SafetensorsFile
  let entry: SafetensorsFile.Entry
  let precision: Precision

  func mismatch(_ field: String, expected: String, found: String) -> FormatError {
    .mismatch(
      path: file.path, field: "the \(field) of the tensor \(entry.name)", expected: expected, found: found)
  }
}

// MARK: - Checks

extension HuggingFaceCheckpoint {
  /// The one file, or those of the index.
  private static func files(in path: String) throws(FormatError) -> [SafetensorsFile] {
    do { return [try SafetensorsFile(path: path + "/" + fileName)] } catch .file(.notFound) {
      do { return try SafetensorsIndex(directory: path).files() } catch .file(.notFound(let missing))
        where
        missing == path + "/" + SafetensorsIndex.fileName
      {
        throw .mismatch(
          path: path, field: "the directory", expected: "a Hugging Face checkpoint",
          found: "one without \(fileName) and \(SafetensorsIndex.fileName)")
      }
    }
  }

  /// By name, without the prefix.
  private static func tensors(of files: [SafetensorsFile]) throws(FormatError) -> [String: StoredTensor] {
    var tensors: [String: StoredTensor] = [:]
    for file in files {
      for entry in file.entries {
        let hasPrefix = entry.name.hasPrefix(HuggingFaceTensors.prefix)
        let name = hasPrefix ? String(entry.name.dropFirst(HuggingFaceTensors.prefix.count)) : entry.name
        if HuggingFaceTensors.isMask(name) { continue }
        guard let precision = entry.precision else {
          throw .mismatch(
            path: file.path, field: "the dtype of the tensor \(entry.name.shortened)",
            expected: "F32, BF16 or F16", found: entry.type)
        }
        let tensor = StoredTensor(file: file, entry: entry, precision: precision)
        guard tensors.updateValue(tensor, forKey: name) == nil else {
          throw .mismatch(
            path: file.path, field: "the tensor \(name.shortened)", expected: "there once",
            found: "there twice, with or without '\(HuggingFaceTensors.prefix)'")
        }
      }
    }
    return tensors
  }

  /// Every tensor of the model is there with its shape, and no other; returns the coarsest precision.
  private static func check(
    _ tensors: [String: StoredTensor], _ configuration: Configuration, path: String
  ) throws(FormatError) -> Precision {
    var precision = Precision.float32
    var others = tensors
    for part in configuration.parameterParts {
      let name = HuggingFaceTensors.name(part)
      guard let tensor = others.removeValue(forKey: name) else {
        throw .mismatch(path: path, field: "the tensor \(name)", expected: "there", found: "missing")
      }
      try check(tensor, shape: HuggingFaceTensors.shape(part, configuration))
      if tensor.precision == .bfloat16 || precision == .float32 { precision = tensor.precision }
    }
    if let head = others.removeValue(forKey: HuggingFaceTensors.head), let embedding = tensors["wte.weight"] {
      try check(head, shape: [configuration.vocabularySize, configuration.channels])
      guard head.precision == embedding.precision,
        head.file.file.hasSameBytes(
          in: head.entry.bytes, as: embedding.file.file, in: embedding.entry.bytes)
      else {
        throw .mismatch(
          path: path, field: "the tensor \(HuggingFaceTensors.head)",
          expected: "the same as wte.weight, as GPT-2's head is", found: "another")
      }
    }
    if let other = others.keys.min() {
      throw .mismatch(
        path: path, field: "the tensor \(other.shortened)", expected: "one that GPT-2 has", found: "unknown")
    }
    return precision
  }

  private static func check(_ tensor: StoredTensor, shape: [Int]) throws(FormatError) {
    guard tensor.entry.shape == shape else {
      throw tensor.mismatch(
        "shape", expected: "\(shape), by config.json", found: "\(tensor.entry.shape.prefix(8))")
    }
  }
}
