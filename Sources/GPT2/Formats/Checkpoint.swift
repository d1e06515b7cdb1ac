import Machine

/// The weights of a model on disk, read in two steps: opening maps the files and checks all of their headers
/// against their sizes; loading copies the tensors into an arena of the caller's.
///
/// Three versions of llm.c's file and Hugging Face's directory are told apart by content: `CheckpointFormat`.
public struct Checkpoint: Sendable {
  public let path: String
  public let format: CheckpointFormat
  public let configuration: Configuration
  /// The coarsest that a tensor is stored in.
  public var precision: Precision { format.precision }
  /// The size of the files that hold the tensors.
  public let byteCount: Int
  private let storage: Storage

  private enum Storage {
    case llm(LLMCheckpoint)
    case huggingFace(HuggingFaceCheckpoint)
  }

  /// Opens the file or the directory and checks it. Allocates nothing that grows with the model.
  ///
  /// - Throws: `FormatError`, naming the file and the field that is off.
  public init(path: String) throws(FormatError) {
    self.path = path
    do {
      let checkpoint = try LLMCheckpoint(path: path)
      storage = .llm(checkpoint)
      (format, configuration) = (checkpoint.format, checkpoint.configuration)
      byteCount = checkpoint.byteCount
    } catch .file(.isDirectory) {
      let checkpoint = try HuggingFaceCheckpoint(path: path)
      storage = .huggingFace(checkpoint)
      (format, configuration) = (.huggingFace(checkpoint.precision), checkpoint.configuration)
      byteCount = checkpoint.byteCount
    }
  }

  /// Copies the sixteen tensors into those of the same names; bfloat16 and float16 exactly.
  ///
  /// - Precondition: `parameters` are those of a network of this configuration.
  public func load(into parameters: ParameterTensors) {
    precondition(parameters.configuration == configuration, "a checkpoint of another model")
    for part in configuration.parameterParts { load(part, into: parameters[part]) }
  }

  func load(_ part: ParameterPart, into tensor: Tensor) {
    switch storage {
    case .llm(let checkpoint): checkpoint.load(part, into: tensor)
    case .huggingFace(let checkpoint): checkpoint.load(part, into: tensor)
    }
  }
}

// MARK: - Writing

extension Checkpoint {
  /// Writes a model's parameters: every file beside its destination first, renamed when it is complete.
  ///
  /// llm.c's versions 3 and 5 pad the vocabulary with rows of zeros up to the next multiple of 128; version 1
  /// and Hugging Face leave its padding away.
  ///
  /// - Parameters:
  ///   - path: of the file, or of the directory, which is made where it is missing.
  ///   - overwrite: replaces a file, or the files in a directory, of the same names.
  /// - Throws: `FormatError`; what is at `path` is then as it was, unless the system fails between the renames of a
  ///   directory's two files.
  public static func write(
    _ parameters: ParameterTensors, to path: String, as format: CheckpointFormat = .llmVersion3,
    overwrite: Bool = false
  ) throws(FormatError) {
    try write(
      .tensors(parameters), configuration: parameters.configuration, to: path, as: format,
      overwrite: overwrite)
  }

  /// Writes this checkpoint in another format, part by part; otherwise as `write(_:to:as:overwrite:)`.
  ///
  /// The bits of float32 stay the same; bfloat16 and float16 are rounded to nearest even.
  public func write(
    to path: String, as format: CheckpointFormat, overwrite: Bool = false
  ) throws(FormatError) {
    let largest = configuration.parameterParts.reduce(0) { max($0, $1.count(configuration)) }
    let scratch = try makeTensor(largest, what: "the largest tensor")
    try Self.write(
      .checkpoint(self, scratch: scratch), configuration: configuration, to: path, as: format,
      overwrite: overwrite)
  }

  private static func write(
    _ source: ParameterSource, configuration: Configuration, to path: String, as format: CheckpointFormat,
    overwrite: Bool
  ) throws(FormatError) {
    switch format {
    case .llmVersion1, .llmVersion3, .llmVersion5:
      try LLMCheckpoint.write(source, configuration, to: path, as: format, overwrite: overwrite)
    case .huggingFace(let precision):
      try HuggingFaceCheckpoint.write(
        source, configuration, to: path, precision: precision, overwrite: overwrite)
    }
  }
}

/// Where writers take the parameters from.
enum ParameterSource {
  case tensors(ParameterTensors)
  /// By way of a tensor that holds the largest part.
  case checkpoint(Checkpoint, scratch: Tensor)

  /// In llm.c's layout; valid until the next call.
  func tensor(_ part: ParameterPart) -> Tensor {
    switch self {
    case .tensors(let tensors): return tensors[part]
    case .checkpoint(let checkpoint, let scratch):
      let shape = part.shape(checkpoint.configuration)
      let tensor = scratch.slice(0..<shape.reduce(1, *), shape: shape, name: part.parameter.name)
      checkpoint.load(part, into: tensor)
      return tensor
    }
  }
}

/// Memory for numbers on their way.
func makeTensor(_ count: Int, what: String) throws(FormatError) -> Tensor {
  do { return try Arena([Arena.Entry(name: what, shape: [count])], what: what).all.slice(0..<count) } catch {
    throw .memory(error)
  }
}
