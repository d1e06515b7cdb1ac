/// Keeps updates out whose loss, or whose norm of the gradients, stands out from those of the steps before.
///
///     z = (x − μ) / σ      μ, σ: mean and standard deviation of x and of the 127 values before it
///
/// Before there are 129 of them nothing stands out, nor where σ is 0. What stood out counts among the values of later
/// steps, so that a loss that stays high is taken for what is usual before long.
///
/// - SeeAlso: github.com/karpathy/llm.c, llmc/outlier_detector.h, and `skip_update_lossz` in train_gpt2.cu.
public struct SpikeGuard: Sendable, Equatable {
  /// The z of the loss above which an update is skipped; 0: none is.
  public var lossLimit = 0.0
  /// The z of the norm of the gradients, before clipping, above which an update is skipped; 0: none is.
  public var normLimit = 0.0

  /// Both limits off unless given.
  public init(lossLimit: Double = 0, normLimit: Double = 0) {
    (self.lossLimit, self.normLimit) = (lossLimit, normLimit)
  }

  /// The values of which z is computed.
  public static let window = 128
  /// The largest z that there can be: of 128 numbers the one that is not like the others has √127.
  public static let largest = Double(window - 1).squareRoot()

  public var isOn: Bool { lossLimit > 0 || normLimit > 0 }

  /// What an update is skipped for.
  public enum Cause: String, Sendable { case loss, norm }

  /// How far a step stands out.
  public struct Judgement: Sendable, Equatable {
    /// z; nil while there are too few values.
    public let loss, norm: Double?
    /// nil where the update is taken.
    public let skipped: Cause?
  }

  /// - Parameters:
  ///   - loss: the step's, of all its batches.
  ///   - norm: that of its gradients, before clipping.
  ///   - losses: those of all steps before, or of the last 128.
  ///   - norms: of as many steps.
  public func judge(
    loss: Double, norm: Double, after losses: [Double], _ norms: [Double]
  ) -> Judgement {
    let (lossScore, normScore) = (Self.score(loss, after: losses), Self.score(norm, after: norms))
    func isAbove(_ score: Double?, _ limit: Double) -> Bool { limit > 0 && score.map { $0 > limit } ?? false }
    return Judgement(
      loss: lossScore, norm: normScore,
      skipped: isAbove(lossScore, lossLimit) ? .loss : isAbove(normScore, normLimit) ? .norm : nil)
  }

  private static func score(_ value: Double, after earlier: [Double]) -> Double? {
    guard earlier.count >= window else { return nil }
    let values = earlier.suffix(window - 1) + [value]
    let mean = values.reduce(0, +) / Double(window)
    let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(window)
    return variance > 0 ? (value - mean) / variance.squareRoot() : 0
  }
}
