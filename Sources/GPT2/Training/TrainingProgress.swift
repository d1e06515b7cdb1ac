import Tokens

/// How far a run has come: with the parameters, what the optimizer keeps and the options, all that decides how it goes
/// on.
public struct TrainingProgress: Sendable, Equatable {
  /// What a step came to.
  public struct Loss: Sendable, Equatable {
    public let step: Int
    public let loss: Float
  }

  /// The step that comes next: as many are done.
  public internal(set) var step = 0
  /// Whether validation and sample of that step have been, where they were due.
  public internal(set) var isReported = false
  /// Updates of the parameters, which number the optimizer's steps.
  public internal(set) var updateCount = 0
  /// Where the next training batch comes from.
  public internal(set) var position: DataLoader.Position
  /// That of samples.
  public internal(set) var generator: XorshiftGenerator
  /// Samples so far, by which the next one's prompt is chosen.
  public internal(set) var sampleCount = 0
  /// Those of the last steps, at most `keptLosses`.
  public internal(set) var trainingLosses: [Loss] = []
  /// The norms of the gradients of the last steps, at most as many as a guard against spikes looks at.
  public internal(set) var gradientNorms: [Double] = []
  /// The last ones, at most `keptLosses`.
  public internal(set) var validationLosses: [Loss] = []

  /// How many losses are kept of each kind.
  public static let keptLosses = 1000

  /// That of the parameters as they are; nil where they were not validated.
  public var validationLoss: Float? {
    guard let last = validationLosses.last, last.step == step else { return nil }
    return last.loss
  }

  /// Takes in what the step came to.
  mutating func add(_ result: TrainingStep) {
    Self.add(Loss(step: step, loss: result.loss), to: &trainingLosses)
    gradientNorms.append(result.gradientNorm)
    if gradientNorms.count > SpikeGuard.window { gradientNorms.removeFirst() }
  }

  mutating func addValidationLoss(_ loss: Float) {
    Self.add(Loss(step: step, loss: loss), to: &validationLosses)
  }

  private static func add(_ loss: Loss, to losses: inout [Loss]) {
    // A report that failed may have ended the run between a validation and what comes next.
    if losses.last?.step == loss.step { losses.removeLast() }
    losses.append(loss)
    if losses.count > keptLosses { losses.removeFirst() }
  }
}
