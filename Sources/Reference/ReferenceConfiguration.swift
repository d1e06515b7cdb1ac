/// The sizes of a GPT-2, and the names and shapes of its parameters.
public struct ReferenceConfiguration: Equatable, Sendable {
  /// maxT, positions that have an embedding.
  public var maximumSequenceLength: Int
  /// V, tokens.
  public var vocabulary: Int
  /// Vp ≥ V, rows of the embedding.
  public var paddedVocabulary: Int
  /// L, blocks.
  public var layers: Int
  /// NH, heads of attention; divides C.
  public var heads: Int
  /// C, the width of the residual stream.
  public var channels: Int
  /// ε of layer normalisation.
  public var layerNormEpsilon: Double

  public init(
    maximumSequenceLength: Int, vocabulary: Int, paddedVocabulary: Int, layers: Int, heads: Int,
    channels: Int,
    layerNormEpsilon: Double = 1e-5
  ) {
    self.maximumSequenceLength = maximumSequenceLength
    self.vocabulary = vocabulary
    self.paddedVocabulary = paddedVocabulary
    self.layers = layers
    self.heads = heads
    self.channels = channels
    self.layerNormEpsilon = layerNormEpsilon
  }

  /// The sixteen parameter tensors in the order of a checkpoint of llm.c.
  public var tensors: [(name: String, shape: [Int])] {
    let (L, C) = (layers, channels)
    return [
      ("wte", [paddedVocabulary, C]), ("wpe", [maximumSequenceLength, C]),
      ("ln1w", [L, C]), ("ln1b", [L, C]),
      ("qkvw", [L, 3 * C, C]), ("qkvb", [L, 3 * C]),
      ("attprojw", [L, C, C]), ("attprojb", [L, C]),
      ("ln2w", [L, C]), ("ln2b", [L, C]),
      ("fcw", [L, 4 * C, C]), ("fcb", [L, 4 * C]),
      ("fcprojw", [L, C, 4 * C]), ("fcprojb", [L, C]),
      ("lnfw", [C]), ("lnfb", [C]),
    ]
  }

  /// Every parameter tensor filled with zeros.
  @inlinable
  public func zeros<Scalar: BinaryFloatingPoint>(_ type: Scalar.Type) -> [String: [Scalar]] {
    Dictionary(
      uniqueKeysWithValues: tensors.map { tensor in
        (tensor.name, [Scalar](repeating: 0, count: tensor.shape.reduce(1, *)))
      })
  }
}
