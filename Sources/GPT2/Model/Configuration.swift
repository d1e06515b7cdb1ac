import Operators

/// The sizes of a GPT-2 model, and what else its parameters do not say of what it computes; checked when made.
///
/// | here | in formulas |
/// |---|---|
/// | `maximumSequenceLength` | max T |
/// | `vocabularySize` | V |
/// | `paddedVocabularySize` | Vp ≥ V: rows of the embedding, the last Vp − V of them never used |
/// | `layers` | L |
/// | `heads` | NH |
/// | `channels` | C = NH · hs |
/// | `layerNormEpsilon` | ε |
///
/// - SeeAlso: Radford et al. 2019, "Language Models are Unsupervised Multitask Learners".
public struct Configuration: Sendable, Equatable {
  public let maximumSequenceLength: Int
  public let vocabularySize: Int
  public let paddedVocabularySize: Int
  public let layers: Int
  public let heads: Int
  public let channels: Int
  /// Of the feed-forward block; GPT-2's is `gelu`.
  public private(set) var activation: Activation
  /// Of layer normalisation; GPT-2's is `defaultLayerNormEpsilon`.
  public private(set) var layerNormEpsilon: Double

  public static let defaultLayerNormEpsilon = 1e-5

  /// hs = C / NH: channels of one attention head.
  public var headSize: Int { channels / heads }

  /// Checks the sizes: each in 1...2³¹−1 (the file formats hold them as int32), heads divide channels,
  /// the padded vocabulary holds the vocabulary, and the bytes of parameters, gradients and both moments
  /// can be counted in an `Int`; ε is above 0 and finite as a float32.
  ///
  /// - Parameter paddedVocabularySize: `vocabularySize` rounded up by `paddedVocabulary(for:)` when nil.
  /// - Throws: `ConfigurationError` for the first rule broken, in the order above.
  public init(
    maximumSequenceLength: Int, vocabularySize: Int, paddedVocabularySize: Int? = nil, layers: Int,
    heads: Int, channels: Int, activation: Activation = .gelu,
    layerNormEpsilon: Double = defaultLayerNormEpsilon
  ) throws(ConfigurationError) {
    self.maximumSequenceLength = try Self.checked(maximumSequenceLength, "the maximum sequence length")
    self.vocabularySize = try Self.checked(vocabularySize, "the vocabulary size")
    let padded = paddedVocabularySize ?? Self.paddedVocabulary(for: vocabularySize)
    self.paddedVocabularySize = try Self.checked(padded, "the padded vocabulary size")
    self.layers = try Self.checked(layers, "the number of layers")
    self.heads = try Self.checked(heads, "the number of heads")
    self.channels = try Self.checked(channels, "the number of channels")
    self.activation = activation
    self.layerNormEpsilon = try Self.checked(epsilon: layerNormEpsilon)
    guard channels.isMultiple(of: heads) else {
      throw .channelsNotDivisible(channels: channels, heads: heads)
    }
    guard padded >= vocabularySize else {
      throw .paddedVocabularyTooSmall(padded: padded, vocabularySize: vocabularySize)
    }
    // Bytes of parameters, gradients and two slots of an optimizer, and of what lies between tensors, fit an Int.
    guard ParameterLayout.checkedCount(Parameter.allCases.map { $0.shape(self) }) != nil else {
      throw .tooLarge
    }
  }

  /// `vocabularySize` rounded up to a multiple of 128, as llm.c pads it: 50257 → 50304. A size so large that
  /// the multiple is no int32 stays as it is.
  public static func paddedVocabulary(for vocabularySize: Int) -> Int {
    vocabularySize > Int(Int32.max) - 127 ? vocabularySize : (vocabularySize + 127) / 128 * 128
  }

  private static func checked(_ size: Int, _ name: String) throws(ConfigurationError) -> Int {
    guard size > 0 else { throw .notPositive(name: name, size: size) }
    guard size <= Int(Int32.max) else { throw .sizeTooLarge(name: name, size: size) }
    return size
  }
}

// MARK: - What is not a size

extension Configuration {
  /// The same with another activation or ε where one is given.
  ///
  /// - Throws: `ConfigurationError.epsilonOutOfRange`.
  public func with(
    activation: Activation?, layerNormEpsilon: Double?
  ) throws(ConfigurationError) -> Configuration {
    var configuration = with(activation: activation)
    if let layerNormEpsilon { configuration.layerNormEpsilon = try Self.checked(epsilon: layerNormEpsilon) }
    return configuration
  }

  func with(activation: Activation?) -> Configuration {
    var configuration = self
    configuration.activation = activation ?? self.activation
    return configuration
  }

  /// Whether the parameters of both have the same shapes.
  func hasShapes(of other: Configuration) -> Bool {
    var same = other
    (same.activation, same.layerNormEpsilon) = (activation, layerNormEpsilon)
    return self == same
  }

  private static func checked(epsilon: Double) throws(ConfigurationError) -> Double {
    guard Float(epsilon) > 0, Float(epsilon).isFinite else { throw .epsilonOutOfRange(epsilon) }
    return epsilon
  }
}

// MARK: - Presets

extension Configuration {
  private static let presets: [(name: String, alias: String, layers: Int, heads: Int, channels: Int)] = [
    ("gpt2-124M", "gpt2", 12, 12, 768),
    ("gpt2-355M", "gpt2-medium", 24, 16, 1024),
    ("gpt2-774M", "gpt2-large", 36, 20, 1280),
    ("gpt2-1558M", "gpt2-xl", 48, 25, 1600),
  ]

  /// The names of the four published sizes, smallest first, then those that Hugging Face has for them.
  public static var presetNames: [String] { presets.map(\.name) + presets.map(\.alias) }

  /// The published GPT-2 of this name: max T 1024, V 50257, Vp 50304.
  ///
  /// - Throws: `ConfigurationError.unknownPreset`, whose sentence lists the names.
  public static func preset(named name: String) throws(ConfigurationError) -> Configuration {
    guard let preset = presets.first(where: { $0.name == name || $0.alias == name }) else {
      throw .unknownPreset(name: name)
    }
    return try Configuration(
      maximumSequenceLength: 1024, vocabularySize: 50257, layers: preset.layers, heads: preset.heads,
      channels: preset.channels)
  }
}

/// Why sizes do not make a model.
public enum ConfigurationError: Error, Equatable, CustomStringConvertible {
  case notPositive(name: String, size: Int)
  case sizeTooLarge(name: String, size: Int)
  case channelsNotDivisible(channels: Int, heads: Int)
  case paddedVocabularyTooSmall(padded: Int, vocabularySize: Int)
  case tooLarge
  case epsilonOutOfRange(Double)
  case unknownPreset(name: String)

  public var description: String {
    switch self {
    case .notPositive(let name, let size):
      "\(name) should be at least 1, but is \(size)."
    case .sizeTooLarge(let name, let size):
      "\(name) should be at most \(Int32.max), but is \(size)."
    case .channelsNotDivisible(let channels, let heads):
      "the number of channels should be a multiple of the \(heads) heads, but is \(channels)."
    case .paddedVocabularyTooSmall(let padded, let vocabularySize):
      "the padded vocabulary size should be at least the vocabulary size \(vocabularySize), but is \(padded)."
    case .tooLarge:
      "a model of these sizes has more parameters than can be addressed."
    case .epsilonOutOfRange(let epsilon):
      "the epsilon of layer normalisation should be a float32 above 0, but is \(epsilon)."
    case .unknownPreset(let name):
      "the model should be one of \(Configuration.presetNames.joined(separator: ", ")), but is '\(name)'."
    }
  }
}
