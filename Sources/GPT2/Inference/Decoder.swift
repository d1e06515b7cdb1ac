import Machine
import Operators

/// Continues sequences token by token, with the keys and values of what came before kept in a cache.
///
/// Logits have the bits of the full forward pass over the same tokens: every sum is taken in the same order. Sequences
/// are independent of each other and may have different lengths; their steps are computed together, so that weights are
/// read once for all.
///
/// All of it is float32, also with a network whose own passes multiply bfloat16.
///
/// Memory: 8·L·C bytes a position and sequence, and one layer's activations of the longest prompt.
public final class Decoder {
  public let network: Network
  /// How many sequences there are.
  public let sequenceCount: Int
  /// The positions that each sequence has.
  public private(set) var lengths: [Int]
  /// The most that a sequence may have: the model's context, or less.
  public let capacity: Int

  private let memory: DecoderMemory
  private let workspace: Workspace

  /// Allocates the cache; pages are touched when they are needed.
  ///
  /// - Parameters:
  ///   - capacity: the positions of a sequence; by default, and at most, the model's context.
  ///   - workspace: that prompts pass through, one of this network's; by default one of its own.
  /// - Throws: `ModelError.memory`, `ModelError.notPositive`.
  public init(
    _ network: Network, sequences: Int = 1, capacity: Int? = nil, workspace: Workspace? = nil
  ) throws(ModelError) {
    guard sequences > 0 else { throw .notPositive(name: "number of sequences", size: sequences) }
    let capacity = min(capacity ?? .max, network.configuration.maximumSequenceLength)
    guard capacity > 0 else { throw .notPositive(name: "capacity", size: capacity) }
    let network = network.inFloat32
    self.network = network
    self.capacity = capacity
    sequenceCount = sequences
    lengths = [Int](repeating: 0, count: sequences)
    memory = try ModelError.wrapping { () throws(MemoryError) in
      try DecoderMemory(
        network.configuration, sequences: sequences, capacity: capacity, memory: network.memory)
    }
    self.workspace = workspace ?? network.makeWorkspace()
    try ModelError.wrapping { () throws(MemoryError) in
      try network.context.reserve(sequenceLength: capacity, sharedCount: 1)
    }
  }

  /// Makes room for prompts of any length, so that no call allocates.
  ///
  /// - Throws: `ModelError.memory`.
  public func reserve() throws(ModelError) {
    try workspace.reserve(
      batchSize: 1, sequenceLength: capacity, retention: .nothing, precision: network.precision)
  }

  /// Begins a sequence anew with a prompt.
  ///
  /// - Parameter prompt: 1 to `capacity` tokens.
  /// - Returns: the logits (1, V) of the token that follows, valid until the next call.
  /// - Throws: `ModelError`: an empty or too long prompt, a token outside the vocabulary, memory.
  /// - Complexity: that of a forward pass without all logits but the last.
  public func prefill(_ prompt: [Int32], sequence: Int = 0) throws(ModelError) -> Matrix {
    precondition((0..<sequenceCount).contains(sequence), "sequence \(sequence) of \(sequenceCount)")
    guard prompt.count <= capacity else {
      throw .sequenceTooLong(sequenceLength: prompt.count, maximum: capacity)
    }
    let batch = try Batch(
      prompt, batchSize: 1, sequenceLength: prompt.count, for: network.configuration)
    lengths[sequence] = 0
    let logits = try network.nextLogits(batch, in: workspace) { [memory, network] layer, acts in
      memory.caches[layer].store(
        acts.matrix(.qkv, layer), sequence: sequence, positions: 0..<prompt.count, context: network.context)
    }
    lengths[sequence] = prompt.count
    return logits
  }

  /// Begins sequences anew with what another one has, at the cost of a copy.
  public func copy(_ sequence: Int, to others: [Int]) {
    precondition(
      ([sequence] + others).allSatisfy { (0..<sequenceCount).contains($0) } && !others.contains(sequence))
    for cache in memory.caches {
      cache.copy(sequence, to: others, count: lengths[sequence], context: network.context)
    }
    for other in others { lengths[other] = lengths[sequence] }
  }

  /// Appends a token to each of some sequences.
  ///
  /// - Parameters:
  ///   - tokens: one for each of `sequences`.
  ///   - sequences: which; all differ, each has a prompt and is shorter than `capacity`.
  /// - Returns: the logits (S', V) of what follows each, valid until the next call.
  /// - Throws: `ModelError`: a token outside the vocabulary, a sequence at the end of the context.
  /// - Complexity: reads every parameter once, and 8·L·C bytes a position: bound by memory for few sequences.
  public func append(_ tokens: [Int32], to sequences: [Int]) throws(ModelError) -> Matrix {
    precondition(tokens.count == sequences.count && Set(sequences).count == sequences.count)
    let batch = try Batch(
      tokens, batchSize: tokens.count, sequenceLength: 1, for: network.configuration)
    for sequence in sequences where lengths[sequence] >= capacity {
      throw .sequenceTooLong(sequenceLength: lengths[sequence] + 1, maximum: capacity)
    }
    let positions = sequences.map { lengths[$0] }
    network.context.together { decode(batch.inputs, sequences, positions) }
    for sequence in sequences { lengths[sequence] += 1 }
    return memory.logits[0..<tokens.count]
  }

  private func decode(_ tokens: BoundedIntegers, _ sequences: [Int], _ positions: [Int]) {
    let (parameters, context) = (network.parameters, network.context)
    context.section("decode")
    let rows = 0..<tokens.count
    let (wte, wpe) = (parameters[ParameterPart(.wte)].matrix(), parameters[ParameterPart(.wpe)].matrix())
    for (row, position) in positions.enumerated() {
      Encoder.forward(
        tokens[row..<row + 1], wte: wte, wpe: wpe[position..<position + 1], sequenceLength: 1,
        out: memory.stream[row..<row + 1], context: context)
    }
    for layer in 0..<network.configuration.layers {
      decodeLayer(layer, rows: rows, sequences, positions)
    }
    let normalised = memory.normalised[rows]
    LayerNorm.forward(
      memory.stream[rows], weight: parameters[ParameterPart(.lnfw)], bias: parameters[ParameterPart(.lnfb)],
      epsilon: network.epsilon,
      y: normalised, mean: memory.mean.slice(rows), rstd: memory.rstd.slice(rows), context: context)
    network.headWeight(rows: rows.count).forward(
      normalised, bias: nil, y: memory.logits[rows], context: context)
  }

  /// One block over one position of each sequence: as `Network.forwardLayer`, attention from the cache.
  private func decodeLayer(_ layer: Int, rows: Range<Int>, _ sequences: [Int], _ positions: [Int]) {
    let (tensors, context, cache) = (network.parameters.layer(layer), network.context, memory.caches[layer])
    let (stream, middle, normalised) = (memory.stream[rows], memory.middle[rows], memory.normalised[rows])
    let (mean, rstd) = (memory.mean.slice(rows), memory.rstd.slice(rows))
    LayerNorm.forward(
      stream, weight: tensors.ln1w, bias: tensors.ln1b, epsilon: network.epsilon, y: normalised, mean: mean,
      rstd: rstd,
      context: context)
    let qkv = memory.qkv[rows]
    Linear.forward(
      normalised, weight: tensors.qkvw.matrix(), bias: tensors.qkvb, y: qkv, context: context)
    for (row, position) in positions.enumerated() {
      cache.store(
        qkv[row..<row + 1], sequence: sequences[row], positions: position..<position + 1, context: context)
    }
    cache.attend(
      qkv, sequences: sequences, counts: positions.map { $0 + 1 }, out: memory.attended[rows],
      context: context)
    Linear.forward(
      memory.attended[rows], weight: tensors.attprojw.matrix(), bias: tensors.attprojb, y: middle,
      epilogue: .add(stream), context: context)
    LayerNorm.forward(
      middle, weight: tensors.ln2w, bias: tensors.ln2b, epsilon: network.epsilon, y: normalised, mean: mean,
      rstd: rstd,
      context: context)
    Linear.forward(
      normalised, weight: tensors.fcw.matrix(), bias: tensors.fcb, y: memory.hidden[rows],
      epilogue: .activation(network.activation, output: memory.activated[rows]), context: context)
    Linear.forward(
      memory.activated[rows], weight: tensors.fcprojw.matrix(), bias: tensors.fcprojb, y: stream,
      epilogue: .add(middle), context: context)
  }
}
