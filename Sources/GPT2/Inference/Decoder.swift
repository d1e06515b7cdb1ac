import Machine
import Operators

/// Continues sequences token by token, with the keys and values of what came before kept in a cache.
///
/// Logits have the bits of the full forward pass over the same tokens: every sum is taken in the same order. Sequences
/// are independent of each other and may have different lengths; their steps are computed together, so that weights are
/// read once for all.
///
/// It multiplies what the network's passes do: float32, or bfloat16, of which the cache then is.
///
/// Memory: 8·L·C bytes a position and sequence, 4·L·C in bfloat16, and one layer's activations of the longest prompt; in
/// bfloat16 also the weights, laid out, which the network's passes share: 2 bytes each.
public final class Decoder {
  public let network: Network
  /// How many sequences there are.
  public let sequenceCount: Int
  /// The positions that each sequence has.
  public private(set) var lengths: [Int]
  /// The most that a sequence may have: the model's context, or less.
  public let capacity: Int

  private let memory: DecoderMemory
  /// That prompts pass through, and the newest positions.
  private let workspace, newest: Workspace

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
    self.network = network
    self.capacity = capacity
    sequenceCount = sequences
    lengths = [Int](repeating: 0, count: sequences)
    memory = try ModelError.wrapping { () throws(MemoryError) in
      try DecoderMemory(network, sequences: sequences, capacity: capacity)
    }
    self.workspace = workspace ?? network.makeWorkspace()
    newest = network.makeWorkspace()
    try network.reserve(rows: sequences, backward: false)
    try newest.reserve(batchSize: sequences, sequenceLength: 1, retention: .nothing)
    try ModelError.wrapping { () throws(MemoryError) in
      try network.context.reserve(sequenceLength: capacity, sharedCount: 1)
    }
  }

  /// Makes room for prompts of any length, so that no call allocates.
  ///
  /// - Throws: `ModelError.memory`.
  public func reserve() throws(ModelError) {
    try workspace.reserve(batchSize: 1, sequenceLength: capacity, retention: .nothing)
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
  /// - Complexity: reads every weight once, 4 bytes or in bfloat16 2, and 8·L·C or 4·L·C bytes a position: bound by memory
  ///   for few sequences.
  public func append(_ tokens: [Int32], to sequences: [Int]) throws(ModelError) -> Matrix {
    precondition(tokens.count == sequences.count && Set(sequences).count == sequences.count)
    let batch = try Batch(
      tokens, batchSize: tokens.count, sequenceLength: 1, for: network.configuration)
    for sequence in sequences where lengths[sequence] >= capacity {
      throw .sequenceTooLong(sequenceLength: lengths[sequence] + 1, maximum: capacity)
    }
    let rows = zip(sequences, sequences.map { lengths[$0] }).map { Row(sequence: $0, position: $1) }
    let acts = try network.prepare(batch, retention: .nothing, in: newest)
    network.context.ahead { decode(batch.inputs, rows, acts) }
    for sequence in sequences { lengths[sequence] += 1 }
    return memory.logits[0..<tokens.count]
  }

  /// Where a row of the activations belongs.
  private struct Row {
    let sequence, position: Int
  }

  /// As a forward pass over one position of each row, but for the positions and for attention, from the cache.
  private func decode(_ tokens: BoundedIntegers, _ rows: [Row], _ acts: Activations) {
    let (masters, context) = (network.masters, network.context)
    context.section("decode")
    network.layOutWeights(rows: rows.count)
    let (wte, wpe) = (masters[ParameterPart(.wte)].matrix(), masters[ParameterPart(.wpe)].matrix())
    for (index, row) in rows.enumerated() {
      Encoder.forward(
        tokens[index..<index + 1], wte: wte, wpe: wpe[row.position..<row.position + 1], sequenceLength: 1,
        out: acts.matrix(.encoded)[index..<index + 1], context: context)
    }
    for layer in 0..<network.configuration.layers {
      network.forwardQueries(layer, acts)
      attend(layer, rows, acts)
      network.forwardAfterAttention(layer, acts)
    }
    network.forwardLastNorm(acts)
    network.headWeight(rows: rows.count).forward(
      acts.matrix(.lnf), bias: nil, y: memory.logits[0..<rows.count], context: context)
  }

  private func attend(_ layer: Int, _ rows: [Row], _ acts: Activations) {
    let (cache, context) = (memory.caches[layer], network.context)
    let (qkv, atty) = (acts.matrix(.qkv, layer), acts.matrix(.atty, layer))
    for (index, row) in rows.enumerated() {
      cache.store(
        qkv[index..<index + 1], sequence: row.sequence, positions: row.position..<row.position + 1,
        context: context)
    }
    let (sequences, counts) = (rows.map(\.sequence), rows.map { $0.position + 1 })
    switch network.precision {
    case .fp32: cache.attend(qkv, sequences: sequences, counts: counts, out: atty, context: context)
    case .bf16, .bf16AMX:
      cache.attend(
        qkv, sequences: sequences, counts: counts, sums: acts.matrix(.residual2, layer), out: atty,
        context: context)
    }
  }
}
