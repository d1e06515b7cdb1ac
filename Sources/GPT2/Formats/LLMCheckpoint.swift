import Machine
import Tokens

/// llm.c's checkpoint file.
///
///     256 int32: 20240326, version, max T, V, L, NH, C, Vp, 0...
///     the sixteen tensors of `Parameter`, in order, without gaps
///
/// Version 1 holds float32 and no padding (Vp = V, the field is ignored), 3 float32, 5 bfloat16.
/// All little-endian.
///
/// - SeeAlso: github.com/karpathy/llm.c, train_gpt2.py, `write_model`.
struct LLMCheckpoint: Sendable {
  let format: CheckpointFormat
  let configuration: Configuration
  private let file: MappedFile
  /// Of each tensor, in the file.
  private let offsets: [Int]

  var byteCount: Int { file.byteCount }

  init(path: String) throws(FormatError) {
    file = try mapped(path)
    if SafetensorsFile.isLikely(file) {
      throw .mismatch(
        path: path, field: "the checkpoint",
        expected: "an llm.c file or a directory of config.json and safetensors",
        found: "a safetensors file, whose directory is to be given")
    }
    let header = try LLMHeader(file, path: path, magic: .checkpoint)
    try header.checkVersion([1, 3, 5])
    format = [1: .llmVersion1, 3: .llmVersion3][header[1]] ?? .llmVersion5
    do {
      configuration = try Configuration(
        maximumSequenceLength: header[2], vocabularySize: header[3],
        paddedVocabularySize: format == .llmVersion1 ? header[3] : header[7], layers: header[4],
        heads: header[5], channels: header[6])
    } catch {
      throw .invalid(path: path, reason: "\(error)")
    }
    // No overflow: Configuration counts sixteen bytes a parameter.
    let numberBytes = format.precision.byteCount
    try header.checkSize(
      file.byteCount, expected: LLMHeader.byteCount + configuration.parameterCount * numberBytes)
    var offset = LLMHeader.byteCount
    var offsets: [Int] = []
    for parameter in Parameter.allCases {
      offsets.append(offset)
      offset += parameter.shape(configuration).reduce(1, *) * numberBytes
    }
    self.offsets = offsets
  }

  func load(_ part: ParameterPart, into tensor: Tensor) {
    let count = part.count(configuration)
    let offset = offsets[part.parameter.index] + (part.layer ?? 0) * count * format.precision.byteCount
    file.copy(format.precision, at: offset, count: count, into: tensor)
  }
}

// MARK: - Writing

extension LLMCheckpoint {
  static func write(
    _ source: ParameterSource, _ configuration: Configuration, to path: String, as format: CheckpointFormat,
    overwrite: Bool
  ) throws(FormatError) {
    let rows =
      format == .llmVersion1
      ? configuration.vocabularySize
      : Configuration.paddedVocabulary(for: configuration.paddedVocabularySize)
    try writing { () throws(FileError) in
      var file = try AtomicFile(path: path, overwrite: overwrite)
      try file.write(header(configuration, rows: rows, format))
      for part in configuration.parameterParts {
        let tensor = source.tensor(part)
        if part.parameter == .wte {
          try writeEmbedding(tensor, rows: rows, configuration, format.precision, to: &file)
        } else {
          try file.write(tensor, as: format.precision)
        }
      }
      try file.commit()
    }
  }

  private static func header(
    _ configuration: Configuration, rows: Int, _ format: CheckpointFormat
  ) -> [UInt8] {
    guard let version = format.llmVersion else { preconditionFailure("\(format) is not llm.c's") }
    let sizes = [
      version, configuration.maximumSequenceLength, configuration.vocabularySize, configuration.layers,
      configuration.heads, configuration.channels, version == 1 ? 0 : rows,
    ]
    return LLMHeader.bytes(.checkpoint, sizes.map { Int32($0) })
  }

  /// The rows there are, as far as they are wanted, then zeros.
  private static func writeEmbedding(
    _ wte: Tensor, rows: Int, _ configuration: Configuration, _ precision: Precision,
    to file: inout AtomicFile
  ) throws(FileError) {
    let count = rows * configuration.channels
    try file.write(wte.slice(0..<min(wte.count, count)), as: precision)
    let padding = max(0, count - wte.count)
    try file.write([UInt8](repeating: 0, count: padding * precision.byteCount))
  }
}
