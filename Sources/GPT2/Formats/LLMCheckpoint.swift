import Machine
import Operators
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

  func load(_ part: ParameterPart, into tensor: Tensor, context: ExecutionContext) {
    let byteCount = part.count(configuration) * format.precision.byteCount
    let offset = offsets[part.parameter.index] + (part.layer ?? 0) * byteCount
    file.withBytes(in: offset..<offset + byteCount) { bytes in
      Conversion.expand(bytes, from: format.precision, y: tensor, context: context)
    }
  }
}

// MARK: - Writing

extension LLMCheckpoint {
  static func write(
    _ source: ParameterSource, _ configuration: Configuration, to path: String, as format: CheckpointFormat,
    overwrite: Bool, context: ExecutionContext
  ) throws(FormatError) {
    try format.check(configuration, path: path)
    let rows =
      format == .llmVersion1
      ? configuration.vocabularySize
      : Configuration.paddedVocabulary(for: configuration.paddedVocabularySize)
    var writer = NumberWriter(as: format.precision, context: context)
    try writing { () throws(FileError) in
      var file = try AtomicFile(path: path, overwrite: overwrite)
      try file.write(header(configuration, rows: rows, format))
      for part in configuration.parameterParts {
        let tensor = source.tensor(part)
        // Of the embedding the rows there are, as far as they are wanted, then zeros.
        let count = part.parameter == .wte ? rows * configuration.channels : tensor.count
        try writer.write(tensor.slice(0..<min(tensor.count, count)), to: &file)
        let padding = max(0, count - tensor.count)
        try file.write([UInt8](repeating: 0, count: padding * format.precision.byteCount))
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
}
