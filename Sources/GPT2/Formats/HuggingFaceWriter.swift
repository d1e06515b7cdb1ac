import Machine
import Operators

extension HuggingFaceCheckpoint {
  /// Writes `config.json` and `model.safetensors` with the names and shapes of `GPT2LMHeadModel`, the head left
  /// away as it is tied.
  ///
  /// Of a model that was read from such a directory, the fields of `config.json` stay that are not the model's sizes.
  ///
  /// - Parameters:
  ///   - origin: what the model was read from.
  ///   - files: what lies beside it.
  /// - Returns: the names of what was removed as another model's.
  /// - Throws: `FormatError`. A directory that is new appears whole or not at all; in one that is there nothing is touched
  ///   before the first file is renamed.
  static func write(
    _ source: ParameterSource, _ configuration: Configuration, to directory: String, precision: Precision,
    origin: Checkpoint?, files: [(name: String, bytes: [UInt8])], overwrite: Bool, context: ExecutionContext
  ) throws(FormatError) -> [String] {
    if let kind = FileStatus.kind(at: directory) {
      guard kind == .directory else {
        throw .mismatch(
          path: directory, field: "what is written", expected: "a directory, new or there",
          found: "a file: name another, or move it away")
      }
      return try writeFiles(
        source, configuration, in: directory, called: directory, precision: precision, origin: origin,
        files: files, overwrite: overwrite, context: context)
    }
    var path = directory
    while path.utf8.count > 1, path.utf8.last == UInt8(ascii: "/") { path.removeLast() }
    let whole = try writing { () throws(FileError) in try AtomicDirectory(path: path) }
    _ = try writeFiles(
      source, configuration, in: whole.temporaryPath, called: directory, precision: precision, origin: origin,
      files: files, overwrite: false, context: context)
    do throws(FileError) { try whole.commit() } catch { throw .file(error) }
    return []
  }

  /// - Parameter name: what errors call the directory.
  /// - Returns: the names of what was removed.
  private static func writeFiles(
    _ source: ParameterSource, _ configuration: Configuration, in directory: String, called name: String,
    precision: Precision, origin: Checkpoint?, files: [(name: String, bytes: [UInt8])], overwrite: Bool,
    context: ExecutionContext
  ) throws(FormatError) -> [String] {
    var writer = NumberWriter(as: precision, context: context)
    let rows = try roomForRows(configuration)
    var tensors = try writing { () throws(FileError) in
      try AtomicFile(path: directory + "/" + fileName, overwrite: overwrite)
    }
    var text = try writing { () throws(FileError) in
      try AtomicFile(
        path: directory + "/" + HuggingFaceConfiguration.fileName, overwrite: overwrite)
    }
    // Refused now, and not when the model is there.
    try writing { () throws(FileError) in
      for (name, _) in files { _ = try AtomicFile(path: directory + "/" + name, overwrite: overwrite) }
    }
    let replaced = overwrite ? try Self.replaced(in: directory, by: files.map(\.name)) : []
    try writing { () throws(FileError) in
      try tensors.write(header(configuration, precision: precision))
      try text.write(
        Array(
          HuggingFaceConfiguration.text(configuration, precision: precision, source: origin?.source).utf8))
    }
    for part in configuration.parameterParts {
      let (tensor, shape) = (source.tensor(part), HuggingFaceTensors.shape(part, configuration))
      if HuggingFaceTensors.isMatrix(part) {
        let matrix = tensor.matrix(columns: shape[0])
        try writeTransposed(matrix, by: rows, &writer, path: name, to: &tensors)
      } else {
        try writeNumbers(tensor.slice(0..<shape.reduce(1, *)), &writer, path: name, to: &tensors)
      }
    }
    do throws(FileError) {
      try tensors.commit()
      try text.commit()
    } catch { throw .file(error) }
    try writing { () throws(FileError) in
      for (name, bytes) in files {
        var file = try AtomicFile(path: directory + "/" + name, overwrite: overwrite)
        try file.write(bytes)
        try file.commit()
      }
      for name in replaced { try Directory.removeTree(at: directory + "/" + name) }
    }
    return replaced
  }

  /// Room for as many rows of a transposed matrix as are written at a time.
  private static func roomForRows(_ configuration: Configuration) throws(FormatError) -> Tensor {
    let counts = configuration.parameterParts.filter { HuggingFaceTensors.isMatrix($0) }.map { part in
      let shape = HuggingFaceTensors.shape(part, configuration)
      return min(shape[0], rowsAtATime(of: shape[1])) * shape[1]
    }
    return try makeTensor(counts.max() ?? 0, what: "rows of a matrix")
  }

  private static func rowsAtATime(of columns: Int) -> Int { max(1, NumberWriter.chunk / columns) }

  /// Writes the transposed of `matrix`, some of its rows at a time by way of a tensor that has room for them.
  private static func writeTransposed(
    _ matrix: Matrix, by rows: Tensor, _ writer: inout NumberWriter, path: String, to file: inout AtomicFile
  ) throws(FormatError) {
    let transposed = matrix.transposed
    let step = rowsAtATime(of: transposed.columns)
    for first in stride(from: 0, to: transposed.rows, by: step) {
      let range = first..<min(transposed.rows, first + step)
      let chunk = rows.slice(0..<range.count * transposed.columns, name: matrix.tensor.name)
      Transposition.forward(
        transposed[range].transposed, y: chunk.matrix(columns: transposed.columns), context: writer.context)
      try writeNumbers(chunk, &writer, path: path, to: &file)
    }
  }

  /// Refuses what float16 cannot hold: it alone has so narrow a range that a model's weights could leave it.
  private static func writeNumbers(
    _ tensor: Tensor, _ writer: inout NumberWriter, path: String, to file: inout AtomicFile
  ) throws(FormatError) {
    if writer.precision == .float16,
      let index = Conversion.firstOverflow(of: tensor, in: .float16, context: writer.context)
    {
      throw .mismatch(
        path: path, field: "each number of \(tensor.name)", expected: "within float16's ±65504",
        found: "\(tensor[index])")
    }
    do throws(FileError) { try writer.write(tensor, to: &file) } catch { throw .file(error) }
  }

  private static func header(_ configuration: Configuration, precision: Precision) -> [UInt8] {
    SafetensorsWriter.header(
      configuration.parameterParts.map { part in
        (
          HuggingFaceTensors.prefix + HuggingFaceTensors.name(part),
          HuggingFaceTensors.shape(part, configuration)
        )
      }, precision: precision)
  }
}
