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

  /// How the numbers are stored.
  public var precision: Precision {
    switch self {
    case .llmVersion1, .llmVersion3: .float32
    case .llmVersion5: .bfloat16
    case .huggingFace(let precision): precision
    }
  }

  /// The number in the header of an llm.c file.
  var llmVersion: Int? {
    switch self {
    case .llmVersion1: 1
    case .llmVersion3: 3
    case .llmVersion5: 5
    case .huggingFace: nil
    }
  }

  /// "llm.c checkpoint, version 3, float32"
  public var description: String {
    let kind = llmVersion.map { "llm.c checkpoint, version \($0)" } ?? "Hugging Face directory"
    return "\(kind), \(precision.rawValue)"
  }
}
