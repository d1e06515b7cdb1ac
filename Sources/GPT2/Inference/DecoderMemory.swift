import Machine
import Operators

/// The memory of a decoder: a key–value cache a layer, and one row of each activation a sequence.
struct DecoderMemory {
  /// (S, C): the residual stream into and within a block, normalised rows, attention's output.
  let stream, middle, normalised, attended: Matrix
  /// (S, 3C), and (S, 4C) twice.
  let qkv, hidden, activated: Matrix
  /// (S, V) of Vp columns.
  let logits: Matrix
  /// (S)
  let mean, rstd: Tensor
  let caches: [KeyValueCache]
  private let arena: Arena

  /// - Throws: `MemoryError`, before anything is mapped where it exceeds memory.
  init(
    _ configuration: Configuration, sequences: Int, capacity: Int, memory: MemoryOptions
  ) throws(MemoryError) {
    let (channels, heads) = (configuration.channels, configuration.heads)
    let size = KeyValueCache.count(
      sequences: sequences, heads: heads, headSize: configuration.headSize, capacity: capacity)
    let rows = [
      ("stream", 1), ("middle", 1), ("normalised", 1), ("attended", 1), ("qkv", 3), ("hidden", 4),
      ("activated", 4),
    ]
    let entries =
      rows.map { Arena.Entry(name: $0.0, shape: [sequences, $0.1 * channels]) } + [
        Arena.Entry(name: "logits", shape: [sequences, configuration.paddedVocabularySize]),
        Arena.Entry(name: "mean", shape: [sequences]), Arena.Entry(name: "rstd", shape: [sequences]),
        Arena.Entry(name: "keys", shape: [configuration.layers, size.keys]),
        Arena.Entry(name: "values", shape: [configuration.layers, size.values]),
      ]
    let arena = try memory.arena(entries, what: "the key–value cache")
    func tensor(_ name: String) -> Tensor {
      guard let tensor = arena[name] else { preconditionFailure("no tensor is named \(name)") }
      return tensor
    }
    stream = tensor("stream").matrix()
    middle = tensor("middle").matrix()
    normalised = tensor("normalised").matrix()
    attended = tensor("attended").matrix()
    qkv = tensor("qkv").matrix()
    hidden = tensor("hidden").matrix()
    activated = tensor("activated").matrix()
    logits = Matrix(
      tensor("logits"), rows: sequences, columns: configuration.vocabularySize,
      rowStride: configuration.paddedVocabularySize)
    (mean, rstd) = (tensor("mean"), tensor("rstd"))
    let (keys, values) = (tensor("keys"), tensor("values"))
    caches = (0..<configuration.layers).map { layer in
      KeyValueCache(
        sequences: sequences, heads: heads, headSize: configuration.headSize, capacity: capacity,
        keys: keys.slice(layer * size.keys..<(layer + 1) * size.keys),
        values: values.slice(layer * size.values..<(layer + 1) * size.values))
    }
    self.arena = arena
  }
}
