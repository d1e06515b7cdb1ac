import Machine
import Operators

/// What a decoder keeps from token to token: a key–value cache a layer; and the logits of its sequences.
struct DecoderMemory {
  /// (S, V) of Vp columns.
  let logits: Matrix
  /// Of the element type that the network's products multiply.
  let caches: [KeyValueCache]
  private let arena: Arena

  /// - Throws: `MemoryError`, before anything is mapped where it exceeds memory.
  init(_ network: Network, sequences: Int, capacity: Int) throws(MemoryError) {
    let configuration = network.configuration
    let elementType = ActivationTensor.qkv.elementType(network.precision)
    let (heads, headSize) = (configuration.heads, configuration.headSize)
    let size = KeyValueCache.count(
      sequences: sequences, heads: heads, headSize: headSize, capacity: capacity, elementType)
    func entry(_ name: String, _ shape: [Int], _ elementType: ElementType) -> Arena.Entry {
      Arena.Entry(name: name, shape: shape, elementType: elementType)
    }
    let arena = try network.memory.arena(
      [
        entry("logits", [sequences, configuration.paddedVocabularySize], .float32),
        entry("keys", [configuration.layers, size.keys], elementType),
        entry("values", [configuration.layers, size.values], elementType),
      ], what: "the key–value cache")
    func tensor(_ name: String) -> Tensor {
      guard let tensor = arena[name] else { preconditionFailure("no tensor is named \(name)") }
      return tensor
    }
    logits = Matrix(
      tensor("logits"), rows: sequences, columns: configuration.vocabularySize,
      rowStride: configuration.paddedVocabularySize)
    let (keys, values) = (tensor("keys"), tensor("values"))
    caches = (0..<configuration.layers).map { layer in
      KeyValueCache(
        sequences: sequences, heads: heads, headSize: headSize, capacity: capacity,
        keys: keys.slice(layer * size.keys..<(layer + 1) * size.keys),
        values: values.slice(layer * size.values..<(layer + 1) * size.values))
    }
    self.arena = arena
  }
}
