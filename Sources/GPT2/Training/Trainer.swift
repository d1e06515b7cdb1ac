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
  private let state: TrainingState

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
      try model.reserve(
        batchSize: training.batchSize, sequenceLength: training.sequenceLength, optimizer: options.optimizer,
        sampleLength: options.longestSample)
      state = try model.training()
    } catch { throw .model(error) }
  }

  /// Runs all steps.
  ///
  /// - Parameter report: called after each validation, sample and step; what it throws ends the run. The update of a
  ///   step may still be due then, to be taken beside the next one's arithmetic: `TrainingState.finishUpdate` takes it
  ///   for those who want to look at the parameters.
  /// - Throws: `TrainingError`. A step whose loss or gradients are not finite changes nothing.
  public func run(report: (TrainingEvent) throws -> Void) throws(TrainingError) {
    defer { state.finishUpdate() }
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
    state.gradients.zero()
    for _ in 1..<batches {
      let batch = try nextBatch(of: &training, step: step)
      do {
        sum += Double(
          try state.accumulate(
            batch, lossScale: 1 / Float(batches), recomputation: model.recomputation, in: model.workspace))
      } catch { throw TrainingError(error, step: step) }
    }
    let batch = try nextBatch(of: &training, step: step)
    let result: StepResult
    do {
      result = try state.step(
        batch, lossScale: 1 / Float(batches), optimizer: optimizer, clip: options.gradientClip,
        recomputation: model.recomputation, leavingUpdateDue: isFollowedByAnother(step), in: model.workspace)
    } catch { throw TrainingError(error, step: step) }
    sum += Double(result.loss)
    return TrainingStep(
      step: step, loss: Float(sum / Double(batches)), learningRate: optimizer.learningRate,
      gradientNorm: result.gradientNorm, tokens: batches * batch.count, duration: .now - start)
  }

  /// Whether a step comes next, and nothing that looks at the parameters before it.
  private func isFollowedByAnother(_ step: Int) -> Bool {
    step + 1 < options.steps && !Self.isDue(step + 1, every: options.validationInterval)
      && !Self.isDue(step + 1, every: options.sampleInterval)
  }

  private func nextBatch(of loader: inout DataLoader, step: Int) throws(TrainingError) -> Batch {
    do { try loader.nextBatch() } catch { throw .data(error) }
    do {
      return try Batch(
        loader.inputs, targets: loader.targets, batchSize: loader.batchSize,
        sequenceLength: loader.sequenceLength, for: model.configuration)
    } catch { throw TrainingError(error, step: step) }
  }

  private func validationLoss(step: Int) throws(TrainingError) -> Float? {
    guard var loader = validation else { return nil }
    loader.reset()
    var sum = 0.0
    for _ in 0..<options.validationBatches {
      let batch = try nextBatch(of: &loader, step: step)
      do { sum += Double(try model.network.evaluate(batch, in: model.inference)) } catch {
        throw TrainingError(error, step: step)
      }
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
