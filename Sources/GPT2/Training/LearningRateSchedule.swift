import Operators

/// How the learning rate moves over a run: up to its peak, and down again.
///
///     s < warm-up:   peak · (s + 1) / warm-up
///     constant:      peak
///     linear:        peak + (minimum − peak) · q          q = (s − warm-up) / (steps − warm-up)
///     cosine:        minimum + (peak − minimum) · ½(1 + cos(π·q))
///
/// The same bits on every machine.
///
/// - SeeAlso: Loshchilov, Hutter 2017, arXiv:1608.03983; github.com/karpathy/llm.c, llmc/schedulers.h.
public struct LearningRateSchedule: Sendable, Equatable {
  public enum Shape: String, CaseIterable, Sendable { case constant, cosine, linear }

  public var shape: Shape
  /// Steps of the ascent.
  public var warmupSteps: Int
  /// What linear and cosine fall to; constant does not use it.
  public var minimum: Double

  public init(shape: Shape = .constant, warmupSteps: Int = 0, minimum: Double = 0) {
    self.shape = shape
    self.warmupSteps = warmupSteps
    self.minimum = minimum
  }

  /// The learning rate of `step`, counted from 0, of `steps`.
  public func rate(step: Int, steps: Int, peak: Double) -> Double {
    if step < warmupSteps { return peak * (Double(step) + 1) / Double(warmupSteps) }
    let progress = steps > warmupSteps ? min(1, Double(step - warmupSteps) / Double(steps - warmupSteps)) : 0
    return switch shape {
    case .constant: peak
    case .linear: peak + (minimum - peak) * progress
    case .cosine: minimum + (peak - minimum) * 0.5 * (1 + ElementaryFunctions.cos(Double.pi * progress))
    }
  }
}
