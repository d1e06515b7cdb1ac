import Machine
import Operators

extension Model {
  /// Takes one step of AdamW over all parameters.
  ///
  /// - Parameters:
  ///   - optimizer: the step's constants; the learning rate may differ from step to step.
  ///   - clip: the largest norm of the gradients; larger ones are scaled down to it. 0: never.
  /// - Returns: the Euclidean norm of the gradients, before clipping.
  /// - Throws: `ModelError.noGradients` before the first backward pass; `ModelError.memory`;
  ///   `ModelError.nonFiniteGradients`, after which the parameters are not to be kept.
  /// - Complexity: 28 bytes a parameter, 4 more with clipping.
  @discardableResult
  public func update(_ optimizer: AdamW, clip: Double = 0) throws(ModelError) -> Double {
    guard hasGradients else { throw .noGradients }
    let gradients = gradientsAreZero ? try self.gradients() : try gradientMemory()
    let (first, second) = try optimizerMoments()
    // Gradients may come from the user alone, without a forward pass that made room.
    do {
      try context.reserve(sequenceLength: 1, sharedCount: AdamW.sharedScratchCount(parameters.all.count))
    } catch { throw .memory(error) }
    updateCount += 1
    var scale = 1.0
    if clip > 0 {
      let norm = AdamW.norm(of: gradients.all, context: context)
      guard norm.isFinite else { throw .nonFiniteGradients(step: updateCount) }
      if norm > clip { scale = clip / norm }
    }
    let norm = optimizer.update(
      gradients: gradients.all, step: updateCount, gradientScale: scale, parameters: parameters.all,
      firstMoment: first.all, secondMoment: second.all, context: context)
    guard norm.isFinite else { throw .nonFiniteGradients(step: updateCount) }
    return norm
  }
}
