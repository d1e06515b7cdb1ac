import Machine
import Operators

extension Model {
  /// A forward and a backward pass, and given an optimizer one step of it, as one: less memory and less time than the
  /// three by themselves, the same numbers to the bit.
  ///
  /// Logits and their gradients exist for 384 rows at a time, activations as `recomputation` says. The optimizer takes
  /// each tensor as soon as its gradient is final, beside the arithmetic of the layers before it.
  ///
  /// - Parameters:
  ///   - inputs, targets, batchSize, sequenceLength: as in `forward`.
  ///   - lossScale: 1/n when the gradients of n batches are accumulated into one update.
  ///   - optimizer: takes one step with the gradients, these and those accumulated before; nil: none.
  /// - Returns: the Euclidean norm of the gradients, nil without an optimizer; `meanLoss` has the loss.
  /// - Throws: `ModelError` as `forward` and `update`, and `nonFiniteLoss` before anything is updated; gradients, also
  ///   those accumulated before, then count as zero.
  /// - Accuracy: rule 3 of the numerical rules.
  /// - Complexity: that of `forward`, `backward` and `update`, and of what `recomputation` computes again.
  @discardableResult
  public func train(
    _ inputs: [Int32], targets: [Int32], batchSize: Int, sequenceLength: Int, lossScale: Float = 1,
    optimizer: AdamW? = nil
  ) throws(ModelError) -> Double? {
    try check(inputs, targets: targets, batchSize: batchSize, sequenceLength: sequenceLength)
    let recomputation = recomputation
    let acts = try prepareActivations(
      batchSize: batchSize, sequenceLength: sequenceLength, keeping: .forBackward(recomputation))
    let scratch = try prepareBackward(batchSize: batchSize, sequenceLength: sequenceLength)
    let gradientArena = try gradientMemory()
    let update = try optimizer.map { optimizer throws(ModelError) in
      try PendingUpdate(optimizer, of: self, gradients: gradientArena)
    }
    let gradients = ParameterTensors(gradientArena, configuration: configuration)
    let accumulate = !gradientsAreZero

    lastTargets = []
    var loss = Float.nan
    context.together {
      forwardBlocks(inputs, acts)
      loss = trainHead(
        targets, acts, lossScale: lossScale, accumulate: accumulate, dwte: gradients.wte,
        dnormalised: scratch.tensor("dbranch"))
      guard loss.isFinite else { return }
      if update != nil { updateCount += 1 }
      update?.hideTokenEmbedding(without: inputs, step: updateCount)
      backwardBlocks(acts, scratch, gradients, accumulate: accumulate, recomputation: recomputation) {
        layer in
        update?.hideLayer(layer, step: updateCount)
      }
      update?.finish(tokens: inputs, step: updateCount)
    }
    // Where the loss is not finite, the head alone has added to the gradients.
    gradientsAreZero = !loss.isFinite
    guard loss.isFinite else { throw .nonFiniteLoss(loss) }
    hasGradients = true
    return try update.map { update throws(ModelError) in try finiteNorm(update) }
  }
}
