import Machine

/// The formats that models are read from and written in.
public enum CheckpointFormat: Sendable, Equatable, CustomStringConvertible {
  /// float32, the vocabulary not padded.
  case llmVersion1
  /// float32, the vocabulary padded to a multiple of 128.
  case llmVersion3
  /// bfloat16, padded as version 3.
  case llmVersion5
  /// A directory of `config.json` and safetensors.
  case huggingFace(Precision)
  /// nanoGPT's `ckpt.pt`: read, not written.
  case nanoGPT(Precision)

  /// How the numbers are stored.
  public var precision: Precision {
    switch self {
    case .llmVersion1, .llmVersion3: .float32
    case .llmVersion5: .bfloat16
    case .huggingFace(let precision), .nanoGPT(let precision): precision
    }
  }

  /// The number in the header of an llm.c file.
  var llmVersion: Int? {
    switch self {
    case .llmVersion1: 1
    case .llmVersion3: 3
    case .llmVersion5: 5
    case .huggingFace, .nanoGPT: nil
    }
  }

  /// Refuses a model that the format cannot tell from another: llm.c's files do not say what is computed with them.
  ///
  /// - Throws: `FormatError`, whose sentence names `path`.
  public func check(_ configuration: Configuration, path: String) throws(FormatError) {
    guard llmVersion != nil else { return }
    let advice = "write a Hugging Face directory"
    guard configuration.activation == .gelu else {
      throw .mismatch(
        path: path, field: "the activation of a model in an llm.c file", expected: "gelu, which it implies",
        found: "\(configuration.activation.rawValue): \(advice)")
    }
    guard Float(configuration.layerNormEpsilon) == Float(Configuration.defaultLayerNormEpsilon) else {
      throw .mismatch(
        path: path, field: "the epsilon of layer normalisation of a model in an llm.c file",
        expected: "\(Configuration.defaultLayerNormEpsilon), which it implies",
        found: "\(configuration.layerNormEpsilon): \(advice)")
    }
  }

  /// "llm.c checkpoint, version 3, float32"
  public var description: String {
    let kind =
      switch self {
      case .llmVersion1: "llm.c checkpoint, version 1"
      case .llmVersion3: "llm.c checkpoint, version 3"
      case .llmVersion5: "llm.c checkpoint, version 5"
      case .huggingFace: "Hugging Face directory"
      case .nanoGPT: "nanoGPT checkpoint"
      }
    return "\(kind), \(precision.rawValue)"
  }
}
