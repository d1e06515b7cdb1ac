import JSON
import Machine

extension HuggingFaceCheckpoint {
  /// Writes `config.json` and `model.safetensors` with the names and shapes of `GPT2LMHeadModel`, the head left
  /// away as it is tied.
  ///
  /// - Throws: `FormatError`; before the first file is renamed, what was there is untouched.
  static func write(
    _ source: ParameterSource, _ configuration: Configuration, to directory: String, precision: Precision,
    overwrite: Bool
  ) throws(FormatError) {
    let largest = configuration.parameterParts.filter { HuggingFaceTensors.isTransposed($0) }
      .reduce(0) { max($0, $1.count(configuration)) }
    let transposed = try makeTensor(largest, what: "the largest matrix")
    let folder = try writing { () throws(FileError) in try NewDirectory(path: directory) }
    var tensors = try writing { () throws(FileError) in
      try AtomicFile(path: directory + "/" + fileName, overwrite: overwrite)
    }
    var text = try writing { () throws(FileError) in
      try AtomicFile(path: directory + "/" + HuggingFaceConfiguration.fileName, overwrite: overwrite)
    }
    try writing { () throws(FileError) in
      try tensors.write(header(configuration, precision: precision))
      try text.write(Array(HuggingFaceConfiguration.text(configuration, precision: precision).utf8))
    }
    for part in configuration.parameterParts {
      let tensor = stored(source.tensor(part), part, configuration, scratch: transposed)
      try checkRange(tensor, precision, path: directory)
      try writing { () throws(FileError) in try tensors.write(tensor, as: precision) }
    }
    do throws(FileError) {
      try tensors.commit()
      try text.commit()
    } catch { throw .file(error) }
    folder.keep()
  }

  /// The tensor as Hugging Face lays it out.
  private static func stored(
    _ tensor: Tensor, _ part: ParameterPart, _ configuration: Configuration, scratch: Tensor
  ) -> Tensor {
    let shape = HuggingFaceTensors.shape(part, configuration)
    let count = shape.reduce(1, *)
    guard HuggingFaceTensors.isTransposed(part) else { return tensor.slice(0..<count) }
    let transposed = scratch.slice(0..<count, name: tensor.name)
    transposed.copyTransposed(from: tensor, rows: shape[1], columns: shape[0])
    return transposed
  }

  /// float16 alone has so narrow a range that a model's weights could leave it.
  private static func checkRange(
    _ tensor: Tensor, _ precision: Precision, path: String
  ) throws(FormatError) {
    guard precision == .float16 else { return }
    let tooLarge = tensor.withSpan { numbers in
      numbers.indices.first { numbers[$0].isFinite && !Float(Float16(numbers[$0])).isFinite }
    }
    if let tooLarge {
      throw .mismatch(
        path: path, field: "each number of \(tensor.name)", expected: "within float16's ±65504",
        found: "\(tensor[tooLarge])")
    }
  }

  private static func header(_ configuration: Configuration, precision: Precision) -> [UInt8] {
    let type = [Precision.float32: "F32", .bfloat16: "BF16"][precision] ?? "F16"
    // `transformers` asks for the format, by which it means a framework.
    var entries: [(String, JSONText)] = [("__metadata__", .object([("format", .text("pt"))]))]
    var offset = 0
    for part in configuration.parameterParts {
      let shape = HuggingFaceTensors.shape(part, configuration)
      let end = offset + shape.reduce(1, *) * precision.byteCount
      let name = HuggingFaceTensors.prefix + HuggingFaceTensors.name(part)
      let fields: [(String, JSONText)] = [
        ("dtype", .text(type)), ("shape", .array(shape.map { .integer($0) })),
        ("data_offsets", .array([.integer(offset), .integer(end)])),
      ]
      entries.append((name, .object(fields)))
      offset = end
    }
    var json = Array(JSONText.object(entries).encoded.utf8)
    // Spaces up to a multiple of eight, so that the tensors are aligned.
    json += [UInt8](repeating: UInt8(ascii: " "), count: (8 - json.count % 8) % 8)
    return littleEndianBytes([UInt64(json.count)]) + json
  }
}
