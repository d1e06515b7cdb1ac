import Machine
import Operators

/// The memory of passes: activations, and the gradients that pass from layer to layer.
///
/// It grows to the largest (B, T) it has served and knows what the last pass keeps in it. A pass owns it from its
/// forward to the end of its backward part; passes that should not disturb each other have a workspace each.
public final class Workspace {
  private let configuration: Configuration
  private let precision: OperandPrecision
  private let memory: MemoryOptions
  private let context: ExecutionContext
  /// What the pass that owns the memory left or will leave; nil before the first.
  public private(set) var activations: Activations?
  /// Passes that have begun here: a pass that another one has followed has lost its memory.
  private(set) var passCount = 0
  /// Why memory is not locked as asked, where the system refused.
  public private(set) var notice: String?
  private var forwardStorage: Arena?
  private var backwardStorage: Arena?
  /// Whether a pass may have written to the memory at hand; else it is zero, and nobody has touched it.
  private var isWritten = false

  public init(
    configuration: Configuration, precision: OperandPrecision = .fp32,
    memory: MemoryOptions = MemoryOptions(), context: ExecutionContext
  ) {
    self.configuration = configuration
    self.precision = precision
    self.memory = memory
    self.context = context
  }

  /// Bytes of the memory at hand.
  public var byteCount: Int { (forwardStorage?.byteCount ?? 0) + (backwardStorage?.byteCount ?? 0) }

  /// What backward passes have in their hands; nil before the first.
  package var backwardMemory: Tensor? { backwardStorage?.all }

  /// Makes room for passes over (B, T), so that none allocates, without touching memory that no pass has used.
  ///
  /// - Parameter backward: whether backward passes follow.
  /// - Throws: `ModelError`: sizes below 1, T beyond the context, or memory, with the number of bytes.
  public func reserve(
    batchSize: Int, sequenceLength: Int, retention: Retention, backward: Bool = false
  ) throws(ModelError) {
    try Batch.check(batchSize: batchSize, sequenceLength: sequenceLength, configuration)
    let views = try layOut(
      batchSize: batchSize, sequenceLength: sequenceLength, retention, precision)
    if backward { _ = try backwardScratch(for: views) }
  }

  /// Begins a forward pass. Views over the memory at hand where it is large enough, else over new memory.
  ///
  /// - Throws: `ModelError.memory` with the number of bytes, when they exceed memory.
  func prepare(
    for batch: Batch, retention: Retention, _ precision: OperandPrecision
  ) throws(ModelError) -> Activations {
    let views = try layOut(
      batchSize: batch.batchSize, sequenceLength: batch.sequenceLength, retention, precision)
    isWritten = true
    return views
  }

  private func layOut(
    batchSize: Int, sequenceLength: Int, _ retention: Retention, _ precision: OperandPrecision
  ) throws(ModelError) -> Activations {
    passCount += 1
    if let activations, activations.batchSize == batchSize, activations.sequenceLength == sequenceLength,
      activations.retention == retention, activations.precision == precision
    {
      return activations
    }
    activations = nil
    let layout = ActivationLayout(
      configuration, batchSize: batchSize, sequenceLength: sequenceLength, retention: retention,
      precision: precision)
    if let count = layout.count, count > forwardStorage?.all.count ?? 0 { isWritten = false }
    let storage = try memory(
      for: layout.count, in: &forwardStorage, what: "the activations", parts: layout.parts)
    let views = Activations(
      layout, batchSize: batchSize, sequenceLength: sequenceLength, retention: retention, storage: storage)
    if isWritten { zeroPadding(of: views[.logits]) }
    do {
      try context.reserve(
        sequenceLength: sequenceLength,
        sharedCount: max(
          LayerNorm.sharedScratchCount(rows: batchSize * sequenceLength, channels: configuration.channels),
          Attention.sharedScratchCount(
            shape: configuration.attention(batchSize: batchSize, sequenceLength: sequenceLength))))
    } catch { throw .memory(error) }
    activations = views
    return views
  }

  /// Earlier views of the same memory left their numbers there.
  private func zeroPadding(of logits: Tensor) {
    let (size, padded) = (configuration.vocabularySize, configuration.paddedVocabularySize)
    Residual.zeroColumns(
      size..<padded, of: Matrix(logits, rows: logits.count / padded, columns: padded), context: context)
  }

  func backwardScratch(for acts: Activations) throws(ModelError) -> BackwardScratch {
    let count = BackwardScratch.count(
      configuration, batchSize: acts.batchSize, sequenceLength: acts.sequenceLength, acts.retention,
      acts.precision)
    let storage = try memory(
      for: count, in: &backwardStorage, what: "the gradients of the activations",
      parts: BackwardScratch.parts(configuration, rows: acts.rows, acts.precision))
    return BackwardScratch(configuration, acts, storage: storage)
  }

  private func memory(
    for count: Int?, in storage: inout Arena?, what: String, parts: @autoclosure () -> [Range<Int>]
  ) throws(ModelError) -> Tensor {
    guard let count else {
      let available = Topology.current.availableMemoryBytes ?? 0
      throw .memory(.exceedsMemory(requested: Int.max, available: available, what: what))
    }
    if let storage, storage.all.count >= count { return storage.all }
    // Let go of the old memory first: both need never fit together.
    storage = nil
    do {
      let arena = try memory.arena(
        [Arena.Entry(name: what, shape: [count])], what: what, parts: parts())
      notice = notice ?? arena.notice
      storage = arena
      return arena.all
    } catch { throw .memory(error) }
  }
}

extension Configuration {
  func attention(batchSize: Int, sequenceLength: Int) -> AttentionShape {
    AttentionShape(
      batchSize: batchSize, sequenceLength: sequenceLength, heads: heads, channels: channels)
  }
}
