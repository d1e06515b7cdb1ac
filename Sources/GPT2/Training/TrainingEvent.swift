/// What a run reports while it goes on, in order.
public enum TrainingEvent: Sendable {
  /// The mean loss over the validation batches, before step `step`.
  case validation(step: Int, loss: Float)
  /// A text of the model, before step `step`; nil where there is no tokenizer.
  case sample(step: Int, tokens: [Int32], text: String?)
  case train(TrainingStep)
}

/// One update.
public struct TrainingStep: Sendable {
  /// From 0.
  public let step: Int
  /// The mean loss over the step's batches, before the update.
  public let loss: Float
  public let learningRate: Double
  /// Euclidean, before clipping.
  public let gradientNorm: Double
  /// nil without a guard against spikes.
  public let judgement: SpikeGuard.Judgement?
  public let tokens: Int
  public let duration: Duration

  public var seconds: Double { duration / .seconds(1) }
  public var tokensPerSecond: Double { Double(tokens) / max(seconds, 1e-9) }
}
