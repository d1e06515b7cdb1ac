import Machine
import Operators

/// What training adds to a network: gradients, the optimizer's state, and how many updates there were.
public final class TrainingState {
  public let network: Network
  public let gradients: Gradients
  /// What optimizers keep for each parameter, by the names of their slots.
  public private(set) var slots: [String: ParameterTensors] = [:]
  /// Updates done so far, one that is due included.
  public private(set) var updateCount = 0
  private let norms: RowNorms
  private var due: DueUpdate?

  /// Allocates the gradients.
  ///
  /// - Throws: `ModelError.memory`.
  public init(_ network: Network) throws(ModelError) {
    self.network = network
    gradients = try Gradients(of: network)
    norms = try RowNorms(network)
  }

  /// Allocates what the optimizer keeps, so that no step does.
  ///
  /// - Throws: `ModelError.memory`; `ModelError.untrained` for an optimizer that leaves parameters out.
  public func reserve(for optimizer: some Optimizer) throws(ModelError) {
    _ = try slots(for: optimizer)
  }

  /// What the optimizer keeps, in its order; zero where it is new.
  ///
  /// - Throws: as `reserve`.
  func slots(for optimizer: any Optimizer) throws(ModelError) -> [ParameterTensors] {
    for parameter in Parameter.allCases where !optimizer.roles.contains(parameter.role) {
      throw .untrained(optimizer: type(of: optimizer).name, parameter: parameter.name)
    }
    var tensors: [ParameterTensors] = []
    for name in optimizer.slots {
      if let slot = slots[name] {
        tensors.append(slot)
      } else {
        let slot = try ModelError.wrapping { () throws(MemoryError) in
          try ParameterTensors(
            network.configuration, memory: network.memory,
            what: "the optimizer's \(name.replacing("_", with: " "))")
        }
        slots[name] = slot
        tensors.append(slot)
      }
    }
    try reserveScratch(for: optimizer)
    return tensors
  }

  private func reserveScratch(for optimizer: any Optimizer) throws(ModelError) {
    let counts = Parameter.allCases.map {
      optimizer.scratchCount(for: $0.layerShape(network.configuration), role: $0.role)
    }
    try ModelError.wrapping { () throws(MemoryError) in
      try network.context.reserve(optimizerCount: counts.max() ?? 0)
    }
  }

  /// Goes on counting from those of a run that was saved.
  func restore(updateCount: Int) {
    finishUpdate()
    self.updateCount = updateCount
  }

  // MARK: - Steps

  /// Adds the gradients of one of several batches of an update.
  ///
  /// - Parameters:
  ///   - batch: with targets.
  ///   - lossScale: 1/n for n batches.
  ///   - recomputation: what is computed again rather than kept. Results do not depend on it.
  ///   - dropout: what the pass drops, with a number of its own; nil: nothing.
  /// - Returns: the batch's mean loss.
  /// - Throws: `ModelError.nonFiniteLoss`, after which gradients, also those accumulated before, count as zero;
  ///   `ModelError.memory`.
  public func accumulate(
    _ batch: Batch, lossScale: Float, recomputation: Recomputation = .none, dropout: Dropout? = nil,
    in workspace: Workspace
  ) throws(ModelError) -> Float {
    try pass(
      batch, lossScale: lossScale, recomputation, dropout, workspace, queue: nil, sink: KeepingSink())
  }

  /// A forward pass, a backward pass and one step of an optimizer: less memory and less time than the three by
  /// themselves, the same numbers to the bit.
  ///
  /// Logits and their gradients exist for 384 rows at a time, activations as `recomputation` says. Gradients are
  /// measured as they become final; the update follows when all are known to be finite.
  ///
  /// - Parameters:
  ///   - batch: with targets: the only one of the update, or the last.
  ///   - lossScale: 1/n for n batches.
  ///   - clip: the largest norm of the gradients; larger ones are scaled down to it. 0: never.
  ///   - dropout: as in `accumulate`.
  ///   - leavingUpdateDue: the update is taken on the way of the next pass, beside its products, or by `finishUpdate`.
  ///     Until then parameters and slots are those before it, and nobody writes to the gradients.
  ///   - isTaken: asked once both are known to be finite; where the update is not taken, parameters, slots and count
  ///     stay as they are, and gradients count as zero.
  /// - Returns: the batch's mean loss, and the Euclidean norm of all gradients before clipping.
  /// - Throws: `ModelError.nonFiniteLoss`, `nonFiniteGradients`: parameters, slots and count are then as before, and
  ///   gradients count as zero; `memory`.
  /// - Complexity: that of the passes, and 32 bytes a parameter.
  public func step(
    _ batch: Batch, lossScale: Float = 1, optimizer: some Optimizer, clip: Double = 0,
    recomputation: Recomputation = .none, dropout: Dropout? = nil, leavingUpdateDue: Bool = false,
    in workspace: Workspace,
    isTaken: (StepResult) -> Bool = { _ in true }
  ) throws(ModelError) -> StepResult {
    _ = try slots(for: optimizer)
    let queue = network.context.makeQueue()
    let sink = MeasuringSink(
      norm: norms, gradients: gradients.tensors, queue: queue, context: network.context)
    let loss = try pass(
      batch, lossScale: lossScale, recomputation, dropout, workspace, queue: queue, sink: sink)
    do {
      let result = StepResult(loss: loss, gradientNorm: try finiteNorm())
      guard isTaken(result) else {
        gradients.zero()
        return result
      }
      try makeUpdateDue(optimizer, clip: clip, norm: result.gradientNorm)
      if !leavingUpdateDue { finishUpdate() }
      return result
    } catch {
      gradients.zero()
      throw error
    }
  }

  /// Takes one step of an optimizer with the gradients that are there.
  ///
  /// - Parameter clip: as in `step`.
  /// - Returns: the Euclidean norm of the gradients, before clipping.
  /// - Throws: `ModelError.noGradients` unless they are complete; `nonFiniteGradients`, when nothing has changed;
  ///   `memory`.
  /// - Complexity: 32 bytes a parameter.
  public func update(_ optimizer: some Optimizer, clip: Double = 0) throws(ModelError) -> Double {
    finishUpdate()
    guard gradients.state == .complete else { throw .noGradients }
    norms.measure(gradients.tensors, context: network.context)
    let norm = try finiteNorm()
    try makeUpdateDue(optimizer, clip: clip, norm: norm)
    finishUpdate()
    return norm
  }

  /// Takes the update that a step left due, if one did.
  public func finishUpdate() {
    due?.takeAll()
    due = nil
  }

  /// The Euclidean norm of all gradients: the one that an update returns, to the bit.
  ///
  /// - Complexity: 2 FLOP and 4 bytes a parameter.
  func gradientNorm() -> Double {
    norms.measure(gradients.written(context: network.context), context: network.context)
    return norms.value
  }

  /// - Precondition: the norms of all gradients are measured.
  private func finiteNorm() throws(ModelError) -> Double {
    let norm = norms.value
    guard norm.isFinite else { throw .nonFiniteGradients(step: updateCount + 1) }
    return norm
  }

  private func makeUpdateDue(_ optimizer: some Optimizer, clip: Double, norm: Double) throws(ModelError) {
    let slots = try slots(for: optimizer)
    updateCount += 1
    due = DueUpdate(
      optimizer, of: network, gradients: gradients.tensors, slots: slots, number: updateCount,
      gradientScale: clip > 0 && norm > clip ? clip / norm : 1)
  }

  /// Both passes over a batch.
  ///
  /// - Parameter queue: where the sink's work waits; its last gradients complete the batches of an update.
  private func pass(
    _ batch: Batch, lossScale: Float, _ recomputation: Recomputation, _ dropout: Dropout?,
    _ workspace: Workspace, queue: WorkQueue?, sink: some GradientSink
  ) throws(ModelError) -> Float {
    guard let targets = batch.targets else { preconditionFailure("training needs targets") }
    var acts = try network.prepare(batch, retention: .forBackward(recomputation), in: workspace)
    acts.dropout = dropout
    let scratch = try workspace.backwardScratch(for: acts)
    let tensors = gradients.tensors
    var loss = Float.nan
    network.context.ahead {
      network.forwardBlocks(batch.inputs, acts, taking: due)
      due = nil
      gradients.add(leaving: queue == nil ? .partial : .complete) { accumulate in
        loss = network.trainHead(
          targets, acts, scratch, lossScale: lossScale, accumulate: accumulate,
          dwte: tensors[ParameterPart(.wte)])
        // The head alone has added to the gradients then.
        guard loss.isFinite else { return false }
        network.backwardBlocks(
          batch.inputs, acts, scratch, tensors, accumulate: accumulate, sink: sink, beside: queue)
        if let queue { network.context.finish(queue) }
        return true
      }
    }
    guard loss.isFinite else { throw .nonFiniteLoss(loss) }
    return loss
  }
}

/// What a step of training came to.
public struct StepResult: Sendable, Equatable {
  /// The mean over the batch, before the update.
  public let loss: Float
  /// Euclidean, before clipping.
  public let gradientNorm: Double
}
