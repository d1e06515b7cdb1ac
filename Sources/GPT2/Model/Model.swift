import Machine
import Operators

/// A GPT-2 with the calls of the original program: a forward pass, a backward pass and an update over its parameters.
///
///     let model = try Model(checkpoint: Checkpoint(path: "gpt2_124M.bin"), context: ExecutionContext())
///     try model.forward(inputs, targets: targets, batchSize: 4, sequenceLength: 64)
///     model.zeroGradients()
///     try model.backward()
///     try model.update(AdamW(learningRate: 1e-4))
///
/// Parameters, gradients, the optimizer's state and activations are named, shaped tensors that may be read and written
/// between those calls. One thread of control uses a model at a time; the operators bring their own.
///
/// The same inputs give the same bits, whatever the number of threads and the instruction set.
///
/// This is a front over what does the work and may be used by itself: `Network` (configuration, activation,
/// parameters), `Workspace` (the memory of passes) and `TrainingState` (gradients, optimizer's state, count).
public final class Model {
  public let network: Network
  /// Whether forward passes keep the attention's scores and weights (`preatt`, `att`) for inspection.
  public var keepsAttention = false
  /// What `train` computes again in its backward pass rather than keeping it.
  public var recomputation = Recomputation.none
  /// The mean loss of the last pass, or nil when it had no targets.
  public private(set) var meanLoss: Float?

  /// Training's memory, in which `activations` lie.
  public let workspace: Workspace
  /// That of evaluation and sampling, which leave training's alone.
  public let inference: Workspace
  private var lastPass: ForwardPass?
  private var sampling: Decoder?
  private var state: TrainingState?

  public init(_ network: Network) {
    self.network = network
    workspace = network.makeWorkspace()
    inference = network.makeWorkspace()
  }

  /// Makes a model with all parameters 0.
  ///
  /// - Parameters:
  ///   - activation: in place of the configuration's.
  ///   - precision: what matrix products multiply.
  /// - Throws: `ModelError.memory` when the parameters exceed the memory at hand.
  public convenience init(
    configuration: Configuration, activation: Activation? = nil, precision: OperandPrecision = .fp32,
    placement: Placement = .automatic, locked: Bool = false, context: ExecutionContext
  ) throws(ModelError) {
    self.init(
      try Network(
        configuration: configuration, activation: activation, precision: precision,
        memory: MemoryOptions(placement: placement, locked: locked), context: context))
  }

  /// Makes a model with a checkpoint's parameters.
  ///
  /// - Parameters:
  ///   - activation: in place of the checkpoint's.
  ///   - precision: what matrix products multiply.
  /// - Throws: `ModelError.memory` when the parameters exceed the memory at hand.
  public convenience init(
    checkpoint: Checkpoint, activation: Activation? = nil, precision: OperandPrecision = .fp32,
    placement: Placement = .automatic, locked: Bool = false, context: ExecutionContext
  ) throws(ModelError) {
    try self.init(
      configuration: checkpoint.configuration, activation: activation, precision: precision,
      placement: placement, locked: locked, context: context)
    checkpoint.load(into: parameters, context: context)
  }

  public var configuration: Configuration { network.configuration }
  public var activation: Activation { network.activation }
  public var precision: OperandPrecision { network.precision }
  public var context: ExecutionContext { network.context }
  /// The sixteen tensors (`Parameter`). To write to them after a pass, ask for them again (`Network.parameters`).
  public var parameters: ParameterTensors { network.parameters }
  /// Why memory is not locked as asked, where the system refused: a sentence that names the limit.
  public var notice: String? { network.masters.notice ?? workspace.notice }
  /// What the last pass kept; nil before `reserve` and the first pass. All of it after `forward`; `train` keeps what its
  /// `recomputation` leaves.
  public var activations: Activations? { workspace.activations }
  /// Updates done so far.
  public var updateCount: Int { state?.updateCount ?? 0 }

  /// Gradients, optimizer's state and count: made at first use.
  ///
  /// - Throws: `ModelError.memory`.
  public func training() throws(ModelError) -> TrainingState {
    if let state { return state }
    let made = try TrainingState(network)
    state = made
    return made
  }

  /// What samples are decoded with: made at first use, and anew where longer ones are asked for. Prompts pass through
  /// the workspace of inference. Where training has no laid-out weights, because its passes have many rows, samples have
  /// none either.
  func decoder(capacity: Int) throws(ModelError) -> Decoder {
    state?.finishUpdate()
    if let sampling, sampling.capacity >= min(capacity, configuration.maximumSequenceLength) {
      return sampling
    }
    sampling = nil
    let sharesWeights = state == nil || network.laidOutByteCount > 0
    let made = try Decoder(
      sharesWeights ? network : network.withoutLaidOutWeights, capacity: capacity, workspace: inference)
    sampling = made
    return made
  }

  /// Whoever looks at parameters or gradients by way of the model finds them after the update that `training()` may have
  /// left due.
  private func current() throws(ModelError) -> TrainingState {
    let training = try training()
    training.finishUpdate()
    return training
  }

  // MARK: - The four calls

  /// Computes the logits of every position and, given targets, the mean loss.
  ///
  ///     x = wte[token] + wpe[t];  for each layer: x += attproj(attention(ln1(x))),  x += fcproj(gelu(fc(ln2(x))))
  ///     logits = lnf(x)·wteᵀ;  loss = mean over B·T of −log softmax(logits)[target]
  ///
  /// - Parameters:
  ///   - inputs: (B·T), row-major, each in 0..<V.
  ///   - targets: (B·T), or nil for inference.
  ///   - batchSize: B.
  ///   - sequenceLength: T, at most the model's context.
  /// - Throws: `ModelError`: sizes below 1, T too long, counts that differ from B·T, a token outside the vocabulary,
  ///   or activations that exceed memory. Nothing is computed then.
  /// - Accuracy: rule 3 of Documentation/numerical-rules.md; `ModelTests` enforces it against float64.
  /// - Complexity: ≈ 2·B·T·(12·L·C² + V·C) + 2·B·L·C·T² FLOP; allocates tensor memory only when (B, T) grows.
  public func forward(
    _ inputs: [Int32], targets: [Int32]? = nil, batchSize: Int, sequenceLength: Int
  ) throws(ModelError) {
    let batch = try Batch(
      inputs, targets: targets, batchSize: batchSize, sequenceLength: sequenceLength, for: configuration)
    state?.finishUpdate()
    meanLoss = nil
    let pass = try network.forward(batch, keepsAttention: keepsAttention, in: workspace)
    meanLoss = pass.loss
    lastPass = consume pass
  }

  /// Makes every gradient count as zero.
  ///
  /// - Complexity: none; the next backward pass overwrites instead of adding.
  public func zeroGradients() { state?.gradients.zero() }

  /// Adds the gradients of the last forward pass's mean loss, times `lossScale`, to `gradients`.
  ///
  /// Afterwards the activation `logits` holds the gradient of the logits.
  ///
  /// - Parameter lossScale: 1/n when the gradients of n batches are accumulated into one update.
  /// - Throws: `ModelError.noForwardPass` unless the last forward pass had targets and is new; `ModelError.memory`.
  /// - Accuracy: rule 3 of Documentation/numerical-rules.md; `ModelTests` enforces it against float64.
  /// - Complexity: about twice the forward pass.
  public func backward(lossScale: Float = 1) throws(ModelError) {
    guard let pass = lastPass.take(), pass.loss != nil, pass.number == workspace.passCount else {
      throw .noForwardPass
    }
    try network.backward(pass, lossScale: lossScale, into: try current().gradients, in: workspace)
  }

  /// Takes one step of an optimizer over all parameters.
  ///
  /// - Parameters:
  ///   - optimizer: the step's constants; the learning rate may differ from step to step.
  ///   - clip: the largest norm of the gradients; larger ones are scaled down to it. 0: never.
  /// - Returns: the Euclidean norm of the gradients, before clipping.
  /// - Throws: `ModelError.noGradients` before the first backward pass; `ModelError.memory`;
  ///   `ModelError.nonFiniteGradients`: nothing has changed then.
  /// - Complexity: 32 bytes a parameter.
  @discardableResult
  public func update(_ optimizer: some Optimizer, clip: Double = 0) throws(ModelError) -> Double {
    guard let state else { throw .noGradients }
    return try state.update(optimizer, clip: clip)
  }

  // MARK: - In one

  /// A forward and a backward pass, and given an optimizer one step of it, as one: `TrainingState.step`.
  ///
  /// - Parameters:
  ///   - inputs: (B·T), as in `forward`.
  ///   - targets: (B·T).
  ///   - batchSize: B.
  ///   - sequenceLength: T.
  ///   - lossScale: 1/n when the gradients of n batches are accumulated into one update.
  ///   - optimizer: takes one step with the gradients, these and those accumulated before.
  ///   - clip: as in `update`.
  /// - Throws: `ModelError` as `forward` and `TrainingState.step`.
  @discardableResult
  public func train(
    _ inputs: [Int32], targets: [Int32], batchSize: Int, sequenceLength: Int, lossScale: Float = 1,
    optimizer: some Optimizer, clip: Double = 0
  ) throws(ModelError) -> StepResult {
    let batch = try trainingBatch(inputs, targets, batchSize, sequenceLength)
    let result = try training().step(
      batch, lossScale: lossScale, optimizer: optimizer, clip: clip, recomputation: recomputation,
      in: workspace)
    meanLoss = result.loss
    return result
  }

  /// A forward and a backward pass as one: `TrainingState.accumulate`.
  ///
  /// - Returns: the mean loss.
  /// - Throws: `ModelError` as `forward` and `TrainingState.accumulate`.
  @discardableResult
  public func accumulate(
    _ inputs: [Int32], targets: [Int32], batchSize: Int, sequenceLength: Int, lossScale: Float
  ) throws(ModelError) -> Float {
    let batch = try trainingBatch(inputs, targets, batchSize, sequenceLength)
    let loss = try training().accumulate(
      batch, lossScale: lossScale, recomputation: recomputation, in: workspace)
    meanLoss = loss
    return loss
  }

  private func trainingBatch(
    _ inputs: [Int32], _ targets: [Int32], _ batchSize: Int, _ sequenceLength: Int
  ) throws(ModelError) -> Batch {
    let batch = try Batch(
      inputs, targets: targets, batchSize: batchSize, sequenceLength: sequenceLength, for: configuration)
    meanLoss = nil
    return batch
  }

  /// Computes the mean loss and keeps nothing else: one layer's activations, 384 rows of logits.
  ///
  /// - Parameters: as in `forward`, whose last pass and activations stay as they are.
  /// - Returns: the loss, the same to the bit as that of `forward`.
  /// - Throws: as `forward`.
  /// - Complexity: that of `forward`, in memory of its own: that of one layer.
  public func evaluate(
    _ inputs: [Int32], targets: [Int32], batchSize: Int, sequenceLength: Int
  ) throws(ModelError) -> Float {
    let batch = try Batch(
      inputs, targets: targets, batchSize: batchSize, sequenceLength: sequenceLength, for: configuration)
    state?.finishUpdate()
    return try network.evaluate(batch, in: inference)
  }

  // MARK: - Memory

  /// Allocates everything that training on batches of (B, T), evaluation of the same and samples need.
  ///
  /// Called before the parameters are filled, it refuses what does not fit before any memory is touched. It takes
  /// addresses; pages come when a pass first writes to them, for samples those of the tokens that there are.
  ///
  /// - Parameter sampleLength: tokens of the longest sample, of which the context is seen at most; 0: none.
  /// - Throws: `ModelError`: sizes below 1, T beyond the context, or memory, with the number of bytes.
  public func reserve(
    batchSize: Int, sequenceLength: Int, optimizer: some Optimizer = AdamW(), sampleLength: Int = .max
  ) throws(ModelError) {
    try Batch.check(batchSize: batchSize, sequenceLength: sequenceLength, configuration)
    meanLoss = nil
    try training().reserve(for: optimizer)
    try network.reserve(rows: batchSize * sequenceLength, backward: true)
    try workspace.reserve(
      batchSize: batchSize, sequenceLength: sequenceLength, retention: .forBackward(recomputation),
      backward: true)
    if sampleLength > 0 { try decoder(capacity: sampleLength).reserve() }
    try inference.reserve(batchSize: batchSize, sequenceLength: sequenceLength, retention: .nothing)
  }

  // MARK: - Tensors

  /// The gradients: allocated on first use, zero until a backward pass.
  ///
  /// Ask again after `zeroGradients()`: memory is only cleared when somebody looks.
  ///
  /// - Throws: `ModelError.memory`.
  public func gradients() throws(ModelError) -> ParameterTensors {
    try current().gradients.written(context: context)
  }

  /// Both moments of AdamW, allocated on first use.
  ///
  /// - Throws: `ModelError.memory`.
  public func optimizerMoments() throws(ModelError) -> (first: ParameterTensors, second: ParameterTensors) {
    let slots = try current().slots(for: AdamW())
    return (slots[0], slots[1])
  }

  /// The Euclidean norm of all gradients: the one that an update returns, to the bit.
  ///
  /// - Throws: `ModelError.memory`.
  /// - Complexity: 2 FLOP and 4 bytes a parameter.
  public func gradientNorm() throws(ModelError) -> Double { try current().gradientNorm() }
}
