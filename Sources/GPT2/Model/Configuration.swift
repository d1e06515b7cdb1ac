/// The sizes of a GPT-2 model, checked when made.
///
/// | here | in formulas |
/// |---|---|
/// | `maximumSequenceLength` | max T |
/// | `vocabularySize` | V |
/// | `paddedVocabularySize` | Vp ≥ V: rows of the embedding, the last Vp − V of them never used |
/// | `layers` | L |
/// | `heads` | NH |
/// | `channels` | C = NH · hs |
///
/// - SeeAlso: Radford et al. 2019, "Language Models are Unsupervised Multitask Learners".
public struct Configuration: Sendable, Equatable {
  public let maximumSequenceLength: Int
  public let vocabularySize: Int
  public let paddedVocabularySize: Int
  public let layers: Int
  public let heads: Int
  public let channels: Int

  /// hs = C / NH: channels of one attention head.
  public var headSize: Int { channels / heads }

  /// Checks the sizes: each in 1...2³¹−1 (the file formats hold them as int32), heads divide channels,
  /// the padded vocabulary holds the vocabulary, and the bytes of parameters, gradients and both moments
  /// can be counted in an `Int`.
  ///
  /// - Parameter paddedVocabularySize: `vocabularySize` rounded up by `paddedVocabulary(for:)` when nil.
  /// - Throws: `ConfigurationError` for the first rule broken, in the order above.
  public init(
    maximumSequenceLength: Int, vocabularySize: Int, paddedVocabularySize: Int? = nil, layers: Int,
    heads: Int, channels: Int
  ) throws(ConfigurationError) {
    self.maximumSequenceLength = try Self.checked(maximumSequenceLength, "the maximum sequence length")
    self.vocabularySize = try Self.checked(vocabularySize, "the vocabulary size")
    let padded = paddedVocabularySize ?? Self.paddedVocabulary(for: vocabularySize)
    self.paddedVocabularySize = try Self.checked(padded, "the padded vocabulary size")
    self.layers = try Self.checked(layers, "the number of layers")
    self.heads = try Self.checked(heads, "the number of heads")
    self.channels = try Self.checked(channels, "the number of channels")
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
    case .unknownPreset(let name):
      "the model should be one of \(Configuration.presetNames.joined(separator: ", ")), but is '\(name)'."
    }
  }
}
