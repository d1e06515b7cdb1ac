import Machine
import Operators

/// A GPT-2: parameters, and a forward pass, a backward pass and an update over them.
///
///     let model = try Model(checkpoint: Checkpoint(path: "gpt2_124M.bin"), context: ExecutionContext())
///     try model.forward(inputs, targets: targets, batchSize: 4, sequenceLength: 64)
///     model.zeroGradients()
///     try model.backward()
///     try model.update(AdamW(learningRate: 1e-4))
///
/// Parameters, gradients, both moments and activations are arenas of named, shaped tensors that may be read and
/// written between those calls. One thread of control uses a model at a time; the operators bring their own.
///
/// The same inputs give the same bits, whatever the number of threads and the instruction set.
public final class Model {
  public let configuration: Configuration
  public let activation: Activation
  public let context: ExecutionContext
  public let placement: Placement
  /// Whether parameters, gradients, moments and activations are locked in memory.
  public let locked: Bool
  /// Why memory is not locked as asked, where the system refused: a sentence that names the limit.
  public private(set) var notice: String?
  /// Whether forward passes keep the attention's scores and weights (`preatt`, `att`) for inspection.
  public var keepsAttention = false
  /// What `train` computes again in its backward pass rather than keeping it.
  public var recomputation = Recomputation.none
  /// The sixteen tensors of `configuration.parameterShapes`.
  public let parameters: Arena
  /// What the last pass kept; nil before `reserve` and the first pass. All of it after `forward`; `train` keeps what its
  /// `recomputation` leaves, `evaluate` one layer.
  public internal(set) var activations: Activations?
  private var keeping = Keeping.all
  /// The mean loss of the last forward pass, or nil when it had no targets.
  public internal(set) var meanLoss: Float?
  /// Updates done so far.
  public internal(set) var updateCount = 0

  let weights: ParameterTensors
  var lastInputs: [Int32] = []
  var lastTargets: [Int32] = []
  /// Whether the gradients count as zero whatever their memory holds: the next backward pass overwrites them, which
  /// spares a sweep of writing zeros and one of reading them back.
  var gradientsAreZero = true
  /// Whether a backward pass, or a user through `gradients()`, has made any.
  var hasGradients = false
  var gradientStorage: Arena?
  var moments: (first: Arena, second: Arena)?
  /// The squared norm of each row of C gradients, in the order of the parameters.
  var gradientSquares: Arena?
  private var forwardStorage: Arena?
  private var backwardStorage: Arena?

  /// Makes a model with all parameters 0.
  ///
  /// - Throws: `ModelError.memory` when the parameters exceed the memory at hand.
  public init(
    configuration: Configuration, activation: Activation = .gelu, placement: Placement = .automatic,
    locked: Bool = false, context: ExecutionContext
  ) throws(ModelError) {
    self.configuration = configuration
    self.activation = activation
    self.context = context
    self.placement = placement
    self.locked = locked
    do {
      parameters = try Arena(
        configuration.parameterShapes, placement: placement, locked: locked, what: "the model's parameters")
    } catch { throw .memory(error) }
    notice = parameters.notice
    weights = ParameterTensors(parameters, configuration: configuration)
  }

  /// Makes a model with a checkpoint's parameters.
  ///
  /// - Throws: `ModelError.memory` when the parameters exceed the memory at hand.
  public convenience init(
    checkpoint: Checkpoint, activation: Activation = .gelu, placement: Placement = .automatic,
    locked: Bool = false, context: ExecutionContext
  ) throws(ModelError) {
    try self.init(
      configuration: checkpoint.configuration, activation: activation, placement: placement, locked: locked,
      context: context)
    checkpoint.load(into: parameters)
  }

  private func arena(_ entries: [Arena.Entry], what: String) throws(ModelError) -> Arena {
    do {
      let arena = try Arena(entries, placement: placement, locked: locked, what: what)
      notice = notice ?? arena.notice
      return arena
    } catch { throw .memory(error) }
  }

  // MARK: - Gradients and moments

  /// The gradients: allocated on first use, zero until a backward pass.
  ///
  /// Ask again after `zeroGradients()`: memory is only cleared when somebody looks.
  ///
  /// - Throws: `ModelError.memory`.
  public func gradients() throws(ModelError) -> Arena {
    let arena = try gradientMemory()
    if gradientsAreZero { Residual.zero(arena.all, context: context) }
    gradientsAreZero = false
    hasGradients = true
    return arena
  }

  func gradientMemory() throws(ModelError) -> Arena {
    if let gradientStorage { return gradientStorage }
    let arena = try arena(configuration.parameterShapes, what: "the gradients")
    gradientStorage = arena
    return arena
  }

  /// Both moments of AdamW, allocated on first use.
  ///
  /// - Throws: `ModelError.memory`.
  public func optimizerMoments() throws(ModelError) -> (first: Arena, second: Arena) {
    if let moments { return moments }
    let first = try arena(configuration.parameterShapes, what: "the first moments")
    let second = try arena(configuration.parameterShapes, what: "the second moments")
    moments = (first, second)
    return (first, second)
  }

  func gradientSquareMemory() throws(ModelError) -> Tensor {
    if let gradientSquares { return gradientSquares.all }
    let rows = configuration.parameterCount / configuration.channels
    let arena = try arena([Arena.Entry(name: "squares", shape: [rows])], what: "the norms of the gradients")
    gradientSquares = arena
    return arena.all
  }

  /// Makes every gradient count as zero.
  ///
  /// - Complexity: none; the next backward pass overwrites instead of adding.
  public func zeroGradients() { gradientsAreZero = true }

  // MARK: - Memory of a pass

  /// Views for (B, T): over the memory at hand where it is large enough, else over new memory.
  ///
  /// - Throws: `ModelError.memory` with the number of bytes, when they exceed memory.
  func prepareActivations(
    batchSize: Int, sequenceLength: Int, keeping: Keeping
  ) throws(ModelError) -> Activations {
    let entries = configuration.activationEntries(
      batchSize: batchSize, sequenceLength: sequenceLength, keeping: keeping, keepsAttention: keepsAttention)
    if let activations, activations.batchSize == batchSize, activations.sequenceLength == sequenceLength,
      (activations["att"] != nil) == keepsAttention, self.keeping == keeping
    {
      return activations
    }
    activations = nil
    // What a pass left refers to the views that go.
    lastInputs = []
    lastTargets = []
    meanLoss = nil
    let views = try views(
      entries, batchSize: batchSize, sequenceLength: sequenceLength, storage: &forwardStorage,
      what: "the activations")
    // Earlier views of the same memory left their numbers in the padding.
    Residual.zeroColumns(
      configuration.vocabularySize..<configuration.paddedVocabularySize, of: views.tensor("logits"),
      rows: views.tensor("logits").count / configuration.paddedVocabularySize,
      rowStride: configuration.paddedVocabularySize, context: context)
    do {
      try context.reserve(
        sequenceLength: sequenceLength,
        sharedCount: max(
          LayerNorm.sharedScratchCount(rows: batchSize * sequenceLength, channels: configuration.channels),
          Attention.sharedScratchCount(shape: attentionShape(views))))
    } catch { throw .memory(error) }
    activations = views
    self.keeping = keeping
    return views
  }

  func prepareBackward(batchSize: Int, sequenceLength: Int) throws(ModelError) -> Activations {
    try views(
      configuration.backwardEntries(batchSize: batchSize, sequenceLength: sequenceLength),
      batchSize: batchSize,
      sequenceLength: sequenceLength, storage: &backwardStorage,
      what: "the gradients of the activations")
  }

  private func views(
    _ entries: [Arena.Entry], batchSize: Int, sequenceLength: Int, storage: inout Arena?, what: String
  ) throws(ModelError) -> Activations {
    guard let count = Activations.floatCount(entries) else {
      let available = Topology.current.availableMemoryBytes ?? 0
      throw .memory(.exceedsMemory(requested: Int.max, available: available, what: what))
    }
    if storage.map({ $0.all.count < count }) ?? true {
      // Let go of the old memory first: both need never fit together.
      storage = nil
      storage = try arena([Arena.Entry(name: what, shape: [count])], what: what)
    }
    guard let storage else { preconditionFailure("just allocated") }
    return Activations(
      entries, batchSize: batchSize, sequenceLength: sequenceLength, storage: storage.all)
  }
}
