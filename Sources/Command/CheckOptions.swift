import ArgumentParser
import GPT2
import Terminal

/// The options that watch over a run, and those that find out whether it can learn at all.
struct CheckOptions: ParsableArguments {
  @Option(
    parsing: .unconditional,
    help: number(
      """
      Skip an update whose loss is so many standard deviations above the mean of the last \(SpikeGuard.window) steps, \
      often 5; 0: never. (default: 0)
      """))
  var skipUpdateLossZ: Double?
  @Option(
    parsing: .unconditional,
    help: number("The same of the norm of the gradients, before it is clipped. (default: 0)"))
  var skipUpdateNormZ: Double?
  @Flag(
    help:
      "Train on the first batch alone, again and again: a model that is right brings its loss to nearly 0.")
  var overfitOneBatch = false
  @Option(
    parsing: .unconditional,
    help: wholeNumber(
      """
      First compare the gradient of so many parameters, chosen at random, with difference quotients of the loss in \
      float64; for small models. (default: 0)
      """))
  var gradientCheck: Int?

  func validate() throws {
    if let gradientCheck, gradientCheck < 0 {
      throw ValidationError("--gradient-check should be at least 0, but is \(gradientCheck)")
    }
  }

  func apply(to options: inout TrainingOptions) {
    options.spikeGuard = SpikeGuard(lossLimit: skipUpdateLossZ ?? 0, normLimit: skipUpdateNormZ ?? 0)
    options.overfitsOneBatch = overfitOneBatch
  }
}
