import GPT2
import Operators

/// How fast tokens could be, by the machine's arithmetic alone.
enum PeakSpeed {
  /// Long against a clock's tick and the waking of threads, and nothing that anybody waits for.
  private static let leastTime = Duration.milliseconds(4)

  /// Seconds that a training token's products take at the peak, the best of a few measurements of some milliseconds.
  static func secondsPerToken(of model: Model, batchSize: Int, sequenceLength: Int) -> Double {
    let (context, arithmetic) = (model.context, model.precision.arithmetic)
    func rate(_ iterations: Int) -> (perSecond: Double, time: Duration) {
      let start = ContinuousClock.now
      let operations = Limits.multiplyAdd(arithmetic, iterations: iterations, context: context)
      let time = ContinuousClock.now - start
      return (operations / max(time / .seconds(1), 1e-9), time)
    }
    var iterations = 1 << 6
    while rate(iterations).time < leastTime { iterations *= 2 }
    let peak = (0..<3).map { _ in rate(iterations).perSecond }.reduce(0, max)
    let operations = model.configuration.operations(batchSize: batchSize, sequenceLength: sequenceLength)
    return (operations.forward + operations.backward) / Double(batchSize * sequenceLength) / peak
  }
}
