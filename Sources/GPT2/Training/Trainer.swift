import Tokens

/// The training loop: validates, samples and updates a model, and reports each.
///
/// The order is the original program's. For every step s from 0: validation where s is a multiple of its
/// interval, a sample where s > 0 is one of the other, then for every batch forward, zero the gradients (before the
/// first), backward; then the update. After the last step validation and sample come once more where they are due.
///
/// - SeeAlso: github.com/karpathy/llm.c, train_gpt2.c, `main`.
public final class Trainer {
  public let model: Model
  public let options: TrainingOptions
  private var training: DataLoader
  private var validation: DataLoader?
  private let tokenizer: Tokenizer?
  private var generator: XorshiftGenerator
  private var sampleCount = 0

  /// Checks the options and allocates all the memory of the run.
  ///
  /// - Parameters:
  ///   - validation: without one there is no validation.
  ///   - tokenizer: turns samples into text.
  /// - Throws: `TrainingError.option`, `TrainingError.model`.
  public init(
    model: Model, training: DataLoader, validation: DataLoader? = nil, tokenizer: Tokenizer? = nil,
    options: TrainingOptions = TrainingOptions()
  ) throws(TrainingError) {
    try options.check()
    self.model = model
    self.training = training
    self.validation = validation
    self.tokenizer = tokenizer
    self.options = options
    generator = XorshiftGenerator(seed: options.seed)
    do {
      try model.reserve(batchSize: training.batchSize, sequenceLength: training.sequenceLength)
    } catch { throw .model(error) }
  }

  /// Runs all steps.
  ///
  /// - Parameter report: called after each validation, sample and update; what it throws ends the run.
  /// - Throws: `TrainingError`; a loss that is not finite throws before its update.
  public func run(report: (TrainingEvent) throws -> Void) throws(TrainingError) {
    for step in 0...options.steps {
      if Self.isDue(step, every: options.validationInterval), let loss = try validationLoss(step: step) {
        try Self.emit(.validation(step: step, loss: loss), report)
      }
      if step > 0, Self.isDue(step, every: options.sampleInterval) {
        try Self.emit(try sample(step: step), report)
      }
      if step < options.steps { try Self.emit(.train(try train(step: step)), report) }
    }
  }

  private static func isDue(_ step: Int, every interval: Int) -> Bool {
    interval > 0 && step.isMultiple(of: interval)
  }

  private static func emit(
    _ event: TrainingEvent, _ report: (TrainingEvent) throws -> Void
  ) throws(TrainingError) {
    do { try report(event) } catch { throw .report(error) }
  }

  private func train(step: Int) throws(TrainingError) -> TrainingStep {
    let start = ContinuousClock.now
    let batches = options.gradientAccumulation
    var optimizer = options.optimizer
    optimizer.learningRate = options.schedule.rate(
      step: step, steps: options.steps, peak: options.optimizer.learningRate)
    var sum = 0.0
    var norm: Double?
    model.zeroGradients()
    for batch in 0..<batches {
      do { try training.nextBatch() } catch { throw .data(error) }
      // Clipping needs the norm of all gradients before the first update.
      let updates = batch == batches - 1 && options.gradientClip == 0
      do {
        norm = try model.train(
          training.inputs.array, targets: training.targets.array, batchSize: training.batchSize,
          sequenceLength: training.sequenceLength, lossScale: 1 / Float(batches),
          optimizer: updates ? optimizer : nil)
      } catch { throw TrainingError(error, step: step) }
      sum += Double(model.meanLoss ?? .nan)
    }
    if norm == nil {
      do { norm = try model.update(optimizer, clip: options.gradientClip) } catch {
        throw TrainingError(error, step: step)
      }
    }
    return TrainingStep(
      step: step, loss: Float(sum / Double(batches)), learningRate: optimizer.learningRate,
      gradientNorm: norm ?? .nan,
      tokens: batches * training.batchSize * training.sequenceLength, duration: .now - start)
  }

  private func validationLoss(step: Int) throws(TrainingError) -> Float? {
    guard var loader = validation else { return nil }
    loader.reset()
    var sum = 0.0
    for _ in 0..<options.validationBatches {
      do { try loader.nextBatch() } catch { throw .data(error) }
      do {
        sum += Double(
          try model.evaluate(
            loader.inputs.array, targets: loader.targets.array, batchSize: loader.batchSize,
            sequenceLength: loader.sequenceLength))
      } catch { throw TrainingError(error, step: step) }
    }
    let loss = Float(sum / Double(options.validationBatches))
    guard loss.isFinite else { throw .nonFiniteLoss(step: step, loss: loss) }
    return loss
  }

  private func sample(step: Int) throws(TrainingError) -> TrainingEvent {
    let prompts = options.samplePrompts
    let prompt =
      prompts.isEmpty ? [model.startToken(tokenizer: tokenizer)] : prompts[sampleCount % prompts.count]
    sampleCount += 1
    do {
      let tokens = try model.sample(after: prompt, length: options.sampleLength, generator: &generator)
      return .sample(step: step, tokens: tokens, text: tokenizer?.decode(tokens))
    } catch { throw TrainingError(error, step: step) }
  }
}

extension Model {
  /// Allocates everything that training on batches of (B, T) needs.
  ///
  /// Called before the parameters are filled, it refuses what does not fit before any memory is touched.
  ///
  /// - Throws: `ModelError`: sizes below 1, T beyond the context, or memory, with the number of bytes.
  public func reserve(batchSize: Int, sequenceLength: Int) throws(ModelError) {
    guard batchSize > 0 else { throw .notPositive(name: "batch size", size: batchSize) }
    guard sequenceLength > 0 else { throw .notPositive(name: "sequence length", size: sequenceLength) }
    guard sequenceLength <= configuration.maximumSequenceLength else {
      throw .sequenceTooLong(sequenceLength: sequenceLength, maximum: configuration.maximumSequenceLength)
    }
    _ = try gradientMemory()
    _ = try optimizerMoments()
    _ = try prepareBackward(batchSize: batchSize, sequenceLength: sequenceLength)
    _ = try gradientSquareMemory()
    _ = try prepareActivations(
      batchSize: batchSize, sequenceLength: sequenceLength, keeping: .forBackward(recomputation))
  }
}
