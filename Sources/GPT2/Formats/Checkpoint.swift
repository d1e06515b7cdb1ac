import Machine

/// The weights of a model in llm.c's file format, read in two steps: opening maps the file and checks all of
/// its header against its size; loading copies the tensors into an arena of the caller's.
///
///     256 int32: 20240326, version, max T, V, L, NH, C, Vp, 0...
///     the sixteen tensors of `Configuration.parameterShapes`, in order, without gaps
///
/// Version 1 holds float32 and no padding (Vp = V, the field is ignored), 3 float32, 5 bfloat16.
/// All little-endian.
///
/// - SeeAlso: github.com/karpathy/llm.c, train_gpt2.py, `write_model`.
public struct Checkpoint: Sendable {
  public enum Precision: String, Sendable {
    case float32, bfloat16

    var byteCount: Int { self == .float32 ? 4 : 2 }
  }

  public let path: String
  public let version: Int
  public let configuration: Configuration
  public let precision: Precision
  /// The size of the file.
  public var byteCount: Int { file.byteCount }
  private let file: MappedFile

  /// Opens the file and checks it. Allocates nothing that grows with the model.
  ///
  /// - Throws: `FormatError`, naming the field that is off.
  public init(path: String) throws(FormatError) {
    file = try mapped(path)
    let header = try LLMHeader(file, path: path, magic: .checkpoint)
    try header.checkVersion([1, 3, 5])
    self.path = path
    version = header[1]
    precision = version == 5 ? .bfloat16 : .float32
    do {
      configuration = try Configuration(
        maximumSequenceLength: header[2], vocabularySize: header[3],
        paddedVocabularySize: version == 1 ? header[3] : header[7], layers: header[4], heads: header[5],
        channels: header[6])
    } catch {
      throw .configuration(path: path, error)
    }
    // No overflow: Configuration counts sixteen bytes a parameter.
    let parameterBytes = configuration.parameterCount * precision.byteCount
    try header.checkSize(byteCount, expected: LLMHeader.byteCount + parameterBytes)
  }

  /// Copies the sixteen tensors into those of the same names, bfloat16 exactly.
  ///
  /// - Precondition: `parameters` has the tensors of `configuration.parameterShapes`.
  public func load(into parameters: Arena) {
    var offset = LLMHeader.byteCount
    for entry in configuration.parameterShapes {
      let tensor = parameters.tensor(matching: entry)
      switch precision {
      case .float32: file.copyFloats(at: offset, count: tensor.count, into: tensor)
      case .bfloat16: file.copyBFloat16(at: offset, count: tensor.count, into: tensor)
      }
      offset += tensor.count * precision.byteCount
    }
  }

  /// Writes a version 3 checkpoint: beside `path` first, renamed when it is complete.
  ///
  /// A model whose Vp is no multiple of 128 (one read from version 1) gets rows of zeros up to the next, as
  /// llm.c expects.
  ///
  /// - Precondition: `parameters` has the tensors of `configuration.parameterShapes`.
  /// - Throws: `FileError`; the file at `path` is then as it was.
  public static func write(
    _ parameters: Arena, configuration: Configuration, to path: String, overwrite: Bool = false
  ) throws(FileError) {
    let rows = Configuration.paddedVocabulary(for: configuration.paddedVocabularySize)
    var header = [Int32](repeating: 0, count: LLMHeader.count)
    let sizes = [
      configuration.maximumSequenceLength, configuration.vocabularySize, configuration.layers,
      configuration.heads, configuration.channels, rows,
    ]
    header.replaceSubrange(0..<8, with: [FileMagic.checkpoint.rawValue, 3] + sizes.map { Int32($0) })
    var file = try AtomicFile(path: path, overwrite: overwrite)
    try file.write(littleEndianBytes(header))
    for entry in configuration.parameterShapes {
      try file.write(parameters.tensor(matching: entry))
      if entry.name == "wte" {
        let padding = (rows - configuration.paddedVocabularySize) * configuration.channels
        try file.write([UInt8](repeating: 0, count: padding * MemoryLayout<Float>.size))
      }
    }
    try file.commit()
  }
}

extension Arena {
  /// The tensor of this name and shape; another shape or none is an error of the program.
  func tensor(matching entry: Entry) -> Tensor {
    guard let tensor = self[entry.name], tensor.shape == entry.shape else {
      preconditionFailure("the arena should hold \(entry.name) with shape \(entry.shape)")
    }
    return tensor
  }
}

/// The bytes of `values`, least significant first.
func littleEndianBytes<Integer: FixedWidthInteger>(_ values: [Integer]) -> [UInt8] {
  values.flatMap { value in
    (0..<Integer.bitWidth / 8).map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) }
  }
}
