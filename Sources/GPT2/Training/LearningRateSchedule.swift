import Operators

/// How the learning rate moves over a run: up to its peak, and down again.
///
///     s < warm-up:   peak · (s + 1) / warm-up, or / (warm-up + 1): `Warmup`
///     constant:      peak
///     linear:        peak + (minimum − peak) · q          q = (s − warm-up) / (steps − warm-up)
///     cosine:        minimum + (peak − minimum) · ½(1 + cos(π·q))
///     wsd:           peak while s < steps − decay, then
///                    minimum + (peak − minimum) · (1 − √q)   q = (s − steps + decay) / decay
///
/// The same bits on every machine.
///
/// - SeeAlso: Loshchilov, Hutter 2017, arXiv:1608.03983; Hägele et al. 2024, arXiv:2405.18392 (wsd);
///   github.com/karpathy/llm.c, llmc/schedulers.h; github.com/karpathy/nanoGPT, train.py, `get_lr`.
public struct LearningRateSchedule: Sendable, Equatable {
  /// wsd: warm-up, stable, decay.
  public enum Shape: String, CaseIterable, Sendable { case constant, cosine, linear, wsd }

  /// Whose ascent it is: they differ by one step.
  public enum Warmup: String, CaseIterable, Sendable {
    /// The last step of the ascent has the peak.
    case llmc
    /// The step after the ascent is the first that has it.
    case nanogpt
  }

  public var shape: Shape
  /// Steps of the ascent.
  public var warmupSteps: Int
  public var warmup: Warmup
  /// What all but constant, which does not use it, fall to.
  public var minimum: Double
  /// Steps of wsd's descent, its last ones; nil: a fifth of all, rounded up, as in llm.c. No other shape uses it.
  public var decaySteps: Int?

  /// As the properties say; `TrainingOptions.check` compares them with the length of a run.
  public init(
    shape: Shape = .constant, warmupSteps: Int = 0, warmup: Warmup = .llmc, minimum: Double = 0,
    decaySteps: Int? = nil
  ) {
    self.shape = shape
    self.warmupSteps = warmupSteps
    self.warmup = warmup
    self.minimum = minimum
    self.decaySteps = decaySteps
  }

  /// The learning rate of `step`, counted from 0, of `steps`.
  public func rate(step: Int, steps: Int, peak: Double) -> Double {
    if step < warmupSteps {
      return peak * (Double(step) + 1) / (Double(warmupSteps) + (warmup == .llmc ? 0 : 1))
    }
    return switch shape {
    case .constant: peak
    case .linear: peak + (minimum - peak) * Self.progress(step, from: warmupSteps, to: steps)
    case .cosine:
      minimum + (peak - minimum) * 0.5
        * (1
          + ElementaryFunctions.cos(Double.pi * Self.progress(step, from: warmupSteps, to: steps)))
    case .wsd:
      step < steps - decaySteps(of: steps)
        ? peak
        : minimum + (peak - minimum)
          * (1 - Self.progress(step, from: steps - decaySteps(of: steps), to: steps).squareRoot())
    }
  }

  /// How many of so many steps wsd falls in.
  public func decaySteps(of steps: Int) -> Int { decaySteps ?? (steps / 5 + (steps % 5 > 0 ? 1 : 0)) }

  /// From 0, before and at `first`, to 1.
  private static func progress(_ step: Int, from first: Int, to end: Int) -> Double {
    end > first ? max(0, min(1, Double(step - first) / Double(end - first))) : 0
  }
}
