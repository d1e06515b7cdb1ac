import Machine
import Operators

/// The weights of a model on disk, read in two steps: opening maps the files and checks all of their headers
/// against their sizes; loading copies the tensors into an arena of the caller's.
///
/// Three versions of llm.c's file, Hugging Face's directory and nanoGPT's checkpoint are told apart by content:
/// `CheckpointFormat`; of a run directory (`Run`) it is the newest whole step's model.
public struct Checkpoint: Sendable {
  /// Of a run directory, that of the model in its newest whole step.
  public let path: String
  /// What is wrong with newer steps of the run directory.
  public let damages: [FormatError]
  public let format: CheckpointFormat
  public let configuration: Configuration
  /// What was passed over in it or put in a missing thing's place: sentences.
  public let notes: [String]
  /// The tensors by the names that they have in a Hugging Face directory or a nanoGPT checkpoint; none of llm.c's.
  public let storedTensors: [TensorEntry]
  /// Of a Hugging Face directory.
  let source: HuggingFaceConfiguration?
  /// The coarsest that a tensor is stored in.
  public var precision: Precision { format.precision }
  /// The size of the files that hold the tensors.
  public let byteCount: Int
  /// All that is read of it, and what leads there.
  private let sourcePaths: [String]
  private let storage: Storage

  private enum Storage {
    case llm(LLMCheckpoint)
    case named(NamedParameters)
  }

  /// Opens the file or the directory and checks it. Allocates nothing that grows with the model.
  ///
  /// - Throws: `FormatError`, naming the file and the field that is off.
  public init(path given: String) throws(FormatError) {
    if Directory.exists(at: given) {
      let (path, damages) = try RunDirectory.model(in: given)
      try self.init(directory: path, given: given, damages: damages)
    } else if FileKind.detect(path: given) == .zip {
      let checkpoint = try NanoGPTCheckpoint(path: given)
      self.init(
        given, checkpoint.parameters, checkpoint.tensors, .nanoGPT(checkpoint.parameters.precision),
        notes: checkpoint.notes)
    } else {
      self.init(given, try LLMCheckpoint(path: given))
    }
  }

  private init(_ path: String, _ checkpoint: LLMCheckpoint) {
    (self.path, damages, notes, storedTensors) = (path, [], [], [])
    storage = .llm(checkpoint)
    (format, configuration) = (checkpoint.format, checkpoint.configuration)
    (byteCount, source, sourcePaths) = (checkpoint.byteCount, nil, [path])
  }

  private init(directory path: String, given: String, damages: [FormatError]) throws(FormatError) {
    let checkpoint = try HuggingFaceCheckpoint(path: path)
    self.init(
      path, checkpoint.parameters, checkpoint.tensors, .huggingFace(checkpoint.parameters.precision),
      notes: checkpoint.parameters.notes, damages: damages, source: checkpoint.source,
      leading: [given, path + "/" + HuggingFaceConfiguration.fileName])
  }

  private init(
    _ path: String, _ parameters: NamedParameters, _ tensors: [StoredTensor], _ format: CheckpointFormat,
    notes: [String], damages: [FormatError] = [], source: HuggingFaceConfiguration? = nil,
    leading: [String] = []
  ) {
    (self.path, self.format, self.notes, self.damages, self.source) = (path, format, notes, damages, source)
    configuration = parameters.configuration
    storedTensors = tensors.map(\.entry)
    let sizes = Dictionary(tensors.map { ($0.file.path, $0.file.byteCount) }) { first, _ in first }
    byteCount = sizes.values.reduce(0, +)
    sourcePaths = [path] + leading + sizes.keys.sorted()
    storage = .named(parameters)
  }

  /// Copies the sixteen tensors into those of the same names; bfloat16 and float16 exactly, float64 rounded.
  ///
  /// From the mapped files into place, Hugging Face's matrices transposed on the way: no memory is taken.
  ///
  /// - Parameter context: whose threads copy.
  /// - Precondition: `parameters` are those of a network of these sizes.
  public func load(into parameters: ParameterTensors, context: ExecutionContext) {
    precondition(parameters.configuration.hasShapes(of: configuration), "a checkpoint of another model")
    for part in configuration.parameterParts { load(part, into: parameters[part], context: context) }
  }

  func load(_ part: ParameterPart, into tensor: Tensor, context: ExecutionContext) {
    switch storage {
    case .llm(let checkpoint): checkpoint.load(part, into: tensor, context: context)
    case .named(let parameters): parameters.load(part, into: tensor, context: context)
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
  ///   - origin: the checkpoint that the model began with: of a Hugging Face directory, what its `config.json` says
  ///     beyond the model's sizes stays.
  ///   - files: what lies beside the model in a directory, such as the origin's `companionFiles()`.
  ///   - overwrite: replaces a file, or the model in a directory, of which nothing stays: also its tokenizer goes where
  ///     `files` have none.
  ///   - context: whose threads round and transpose, a chunk of a few MiB at a time; one writes.
  /// - Returns: the names in a directory that were removed as another model's.
  /// - Throws: `FormatError`; what is at `path` is then as it was, unless the system fails between the renames of a
  ///   directory's two files.
  @discardableResult
  public static func write(
    _ parameters: ParameterTensors, to path: String, as format: CheckpointFormat = .llmVersion3,
    origin: Checkpoint? = nil, files: [(name: String, bytes: [UInt8])] = [], overwrite: Bool = false,
    context: ExecutionContext
  ) throws(FormatError) -> [String] {
    try write(
      .tensors(parameters), configuration: parameters.configuration, to: path, as: format, origin: origin,
      files: files, overwrite: overwrite, context: context)
  }

  /// Writes this checkpoint in another format, part by part; otherwise as `write(_:to:as:overwrite:context:)`.
  ///
  /// The bits of float32 stay the same; bfloat16 and float16 are rounded to nearest even. From one Hugging Face directory
  /// to another what lies beside the model is copied, such as a tokenizer.
  ///
  /// - Parameter configuration: in place of the checkpoint's: of the same sizes, with another activation or epsilon.
  /// - Throws: `FormatError`, also where the target is what is read.
  @discardableResult
  public func write(
    to path: String, as format: CheckpointFormat, configuration: Configuration? = nil,
    overwrite: Bool = false, context: ExecutionContext
  ) throws(FormatError) -> [String] {
    try refuseItself(path, as: format)
    let configuration = configuration ?? self.configuration
    precondition(configuration.hasShapes(of: self.configuration), "a configuration of another model")
    let largest = configuration.parameterParts.reduce(0) { max($0, $1.count(configuration)) }
    let scratch = try makeTensor(largest, what: "the largest tensor")
    return try Self.write(
      .checkpoint(self, scratch: scratch, context: context), configuration: configuration, to: path,
      as: format, origin: self, files: format.llmVersion == nil ? try companionFiles() : [],
      overwrite: overwrite, context: context)
  }

  /// A model must not be replaced while it is read, whatever links lead to it.
  private func refuseItself(_ target: String, as format: CheckpointFormat) throws(FormatError) {
    let targets =
      format.llmVersion != nil
      ? [target] : [target, target + "/" + HuggingFaceCheckpoint.fileName, target + "/config.json"]
    for source in sourcePaths {
      guard let same = targets.first(where: { FileLink.isSame($0, source) }) else { continue }
      throw .mismatch(
        path: same, field: "the target", expected: "another than what is read, \(source)", found: "the same")
    }
  }

  private static func write(
    _ source: ParameterSource, configuration: Configuration, to path: String, as format: CheckpointFormat,
    origin: Checkpoint?, files: [(name: String, bytes: [UInt8])], overwrite: Bool, context: ExecutionContext
  ) throws(FormatError) -> [String] {
    switch format {
    case .llmVersion1, .llmVersion3, .llmVersion5:
      try LLMCheckpoint.write(
        source, configuration, to: path, as: format, overwrite: overwrite, context: context)
      return []
    case .nanoGPT:
      throw .mismatch(
        path: path, field: "the format to write", expected: "an llm.c file or a Hugging Face directory",
        found: "nanoGPT's checkpoint, which is read alone")
    case .huggingFace(let precision):
      return try HuggingFaceCheckpoint.write(
        source, configuration, to: path, precision: precision, origin: origin, files: files,
        overwrite: overwrite, context: context)
    }
  }
}

/// Where writers take the parameters from.
enum ParameterSource {
  case tensors(ParameterTensors)
  /// By way of a tensor that holds the largest part.
  case checkpoint(Checkpoint, scratch: Tensor, context: ExecutionContext)

  /// In llm.c's layout; valid until the next call.
  func tensor(_ part: ParameterPart) -> Tensor {
    switch self {
    case .tensors(let tensors): return tensors[part]
    case .checkpoint(let checkpoint, let scratch, let context):
      let shape = part.shape(checkpoint.configuration)
      let tensor = scratch.slice(0..<shape.reduce(1, *), shape: shape, name: part.parameter.name)
      checkpoint.load(part, into: tensor, context: context)
      return tensor
    }
  }
}

/// Memory for numbers on their way.
func makeTensor(_ count: Int, what: String) throws(FormatError) -> Tensor {
  try FormatError.wrapping { () throws(MemoryError) in
    try Arena([Arena.Entry(name: what, shape: [count])], what: what).all.slice(0..<count)
  }
}

extension FormatError {
  static func wrapping<Value>(_ body: () throws(MemoryError) -> Value) throws(FormatError) -> Value {
    do { return try body() } catch { throw .memory(error) }
  }
}
