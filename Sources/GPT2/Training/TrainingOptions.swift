import Operators
import Tokens

/// What a training run does, apart from the model and the data.
public struct TrainingOptions: Sendable {
  /// Updates of the parameters.
  public var steps = 40
  /// Batches whose gradients are averaged into one update.
  public var gradientAccumulation = 1
  /// Steps from one validation to the next; 0: never.
  public var validationInterval = 10
  /// Batches of one validation, the same ones each time; all there are where there are fewer.
  public var validationBatches = 10
  /// Steps from one sample to the next; 0: never.
  public var sampleInterval = 20
  /// Tokens of a sample, its start included; at most `GenerationOptions.longestLength`.
  public var sampleLength = 64
  /// What samples start from, in turn; where there are none, from the end of text.
  public var samplePrompts: [[Int32]] = []
  /// The seed of sampling.
  public var seed: UInt64 = 1337
  /// Its learning rate is the peak of `schedule`.
  public var optimizer: any Optimizer = AdamW()
  public var schedule = LearningRateSchedule()
  /// The largest norm of the gradients; larger ones are scaled down to it. 0: never.
  public var gradientClip = 0.0
  /// With which probability training drops an element of the embedding, of attention's weights, and of what either
  /// branch adds to the residual stream; from 0 to below 1.
  public var dropout = 0.0

  /// Which updates are skipped.
  public var spikeGuard = SpikeGuard()
  /// Whether each batch is the first one, which finds out whether a model can learn at all.
  public var overfitsOneBatch = false

  public init() {}

  /// Tokens of the longest sample; 0 where there are none.
  public var longestSample: Int { sampleInterval > 0 ? max(sampleLength, 0) : 0 }

  /// Checks every number.
  ///
  /// - Throws: `TrainingError.option` for the first that is outside its range.
  public func check() throws(TrainingError) {
    try Self.check("the number of steps", steps, in: 1...Int.max)
    try Self.check("the number of accumulated batches", gradientAccumulation, in: 1...Int.max)
    try Self.check("the validation interval", validationInterval, in: 0...Int.max)
    try Self.check("the number of validation batches", validationBatches, in: 1...Int.max)
    try Self.check("the sample interval", sampleInterval, in: 0...Int.max)
    try Self.check("the sample length", sampleLength, in: 1...GenerationOptions.longestLength)
    try Self.check("the number of warm-up steps", schedule.warmupSteps, in: 0...Int.max)
    if let steps = schedule.decaySteps { try Self.check("the number of decay steps", steps, in: 1...Int.max) }
    do { try optimizer.check() } catch {
      throw .option(name: error.name, expected: error.expected, found: error.found)
    }
    try Self.check("the largest gradient norm", gradientClip)
    guard (0..<1).contains(dropout) else {
      throw .option(name: "the dropout", expected: "at least 0 and below 1", found: "\(dropout)")
    }
    for (name, limit) in [
      ("the z of the loss above which updates are skipped", spikeGuard.lossLimit),
      ("the z of the gradient norm above which updates are skipped", spikeGuard.normLimit),
    ] where !(0..<SpikeGuard.largest).contains(limit) {
      throw .option(
        name: name, expected: "at least 0 and below 11.3, which no z among 128 numbers exceeds",
        found: "\(limit)")
    }
    guard (0...optimizer.learningRate).contains(schedule.minimum) else {
      throw .option(
        name: "the lowest learning rate", expected: "in 0...\(optimizer.learningRate), the learning rate",
        found: "\(schedule.minimum)")
    }
  }

  /// Checks what depends on the data.
  ///
  /// - Throws: `TrainingError.option` where a pass over them has too few batches for one update, which would see some
  ///   of them twice.
  public func check(for training: DataLoader) throws(TrainingError) {
    guard overfitsOneBatch || gradientAccumulation <= training.batchCount else {
      throw .option(
        name: "the number of accumulated batches",
        expected: "at most \(training.batchCount), the batches of \(training.batchSize) × "
          + "\(training.sequenceLength) in the training data", found: "\(gradientAccumulation)")
    }
  }

  private static func check(_ name: String, _ value: Int, in range: ClosedRange<Int>) throws(TrainingError) {
    guard range.contains(value) else {
      let isOpen = range.upperBound == Int.max
      let expected = isOpen ? "at least \(range.lowerBound)" : "in \(range.lowerBound)...\(range.upperBound)"
      throw .option(name: name, expected: expected, found: "\(value)")
    }
  }

  private static func check(_ name: String, _ value: Double) throws(TrainingError) {
    guard value >= 0, Float(value).isFinite else {
      throw .option(name: name, expected: "a number from 0 up that float32 holds", found: "\(value)")
    }
  }
}

/// Why a run cannot begin or go on: one sentence.
public enum TrainingError: Error, CustomStringConvertible {
  case option(name: String, expected: String, found: String)
  /// A token file was changed while it was read.
  case data(DataError)
  case model(ModelError)
  case nonFiniteLoss(step: Int, loss: Float)
  case nonFiniteGradients(step: Int)
  /// The caller's own, thrown by what it does with events.
  case report(any Error)

  public var description: String {
    switch self {
    case .option(let name, let expected, let found):
      "\(name) should be \(expected), but is \(found)."
    case .data(let error):
      error.description
    case .model(let error):
      error.description
    case .nonFiniteLoss(let step, let loss):
      "the loss of step \(step) should be finite, but is \(loss.said): "
        + (step == 0
          ? "the model's parameters are not finite, or too large, before any update."
          : "the training has diverged; a lower learning rate or gradient clipping may help.")
    case .nonFiniteGradients(let step):
      "the gradients of step \(step) should be finite, but their norm is not: the training has diverged;"
        + " a lower learning rate or gradient clipping may help."
    case .report(let error):
      "\(error)"
    }
  }

  init(_ error: ModelError, step: Int) {
    self =
      switch error {
      case .nonFiniteGradients: .nonFiniteGradients(step: step)
      case .nonFiniteLoss(let loss): .nonFiniteLoss(step: step, loss: loss)
      default: .model(error)
      }
  }
}
