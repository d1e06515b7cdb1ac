import Operators
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
  private(set) var training: DataLoader
  private(set) var validation: DataLoader?
  private let tokenizer: Tokenizer?
  let state: TrainingState
  /// But for what the loader and the training state know.
  private var ownProgress: TrainingProgress

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
    try options.check(for: training)
    self.model = model
    self.training = training
    self.validation = validation
    self.tokenizer = tokenizer
    self.options = options
    ownProgress = TrainingProgress(
      position: training.position, generator: XorshiftGenerator(seed: options.seed))
    do {
      try model.reserve(
        batchSize: training.batchSize, sequenceLength: training.sequenceLength, optimizer: options.optimizer,
        sampleLength: options.longestSample)
      state = try model.training()
    } catch { throw .model(error) }
  }

  /// How far the run has come, between two steps and inside the closures of `run`.
  public var progress: TrainingProgress {
    var progress = ownProgress
    progress.position = training.position
    progress.updateCount = state.updateCount
    return progress
  }

  /// Goes on from where another run was, whose parameters and slots are in place.
  ///
  /// - Throws: `DataError.position` where the training data have no such place; nothing has changed then.
  func restore(_ progress: TrainingProgress) throws(DataError) {
    try training.move(to: progress.position)
    state.restore(updateCount: progress.updateCount)
    ownProgress = progress
  }

  /// Runs the steps that are left.
  ///
  /// - Parameters:
  ///   - report: called after each validation, sample and step; what it throws ends the run. The update of a step may
  ///     still be due then, to be taken beside the next one's arithmetic: `TrainingState.finishUpdate` takes it for
  ///     those who want to look at the parameters.
  ///   - shouldStop: asked between the parts of a step, so that the run ends early with a whole step.
  ///   - atStep: called where a step begins, after its validation and sample, and once after the last step: where to
  ///     save (`Run.save`).
  /// - Throws: `TrainingError`. A step whose loss or gradients are not finite changes nothing.
  public func run(
    report: (TrainingEvent) throws -> Void, shouldStop: () -> Bool = { false },
    atStep: (Int) throws -> Void = { _ in }
  ) throws(TrainingError) {
    defer { state.finishUpdate() }
    while !shouldStop() {
      let step = ownProgress.step
      if !ownProgress.isReported { try reportModel(step: step, report) }
      do { try atStep(step) } catch { throw .report(error) }
      guard step < options.steps, !shouldStop() else { return }
      let position = training.position
      let result: TrainingStep
      do { result = try train(step: step) } catch {
        // So that what is saved now goes on with this step's batches.
        try? training.move(to: position)
        throw error
      }
      ownProgress.add(result)
      ownProgress.step += 1
      ownProgress.isReported = false
      try Self.emit(.train(result), report)
    }
  }

  /// Validation and sample, where they are due.
  private func reportModel(step: Int, _ report: (TrainingEvent) throws -> Void) throws(TrainingError) {
    if Self.isDue(step, every: options.validationInterval), let loss = try validationLoss(step: step) {
      ownProgress.addValidationLoss(loss)
      try Self.emit(.validation(step: step, loss: loss), report)
    }
    if step > 0, Self.isDue(step, every: options.sampleInterval) {
      try Self.emit(try sample(step: step), report)
    }
    ownProgress.isReported = true
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
    model.context.passes("step \(step)")
    let start = ContinuousClock.now
    let batches = options.gradientAccumulation
    var optimizer = options.optimizer
    optimizer.learningRate = options.schedule.rate(
      step: step, steps: options.steps, peak: options.optimizer.learningRate)
    var sum = 0.0
    state.gradients.zero()
    for index in 0..<batches - 1 {
      let batch = try nextTrainingBatch(step: step)
      do {
        sum += Double(
          try state.accumulate(
            batch, lossScale: 1 / Float(batches), recomputation: model.recomputation,
            dropout: dropout(step: step, batch: index), in: model.workspace))
      } catch { throw TrainingError(error, step: step) }
    }
    let batch = try nextTrainingBatch(step: step)
    var judgement: SpikeGuard.Judgement?
    let result: StepResult
    do {
      result = try state.step(
        batch, lossScale: 1 / Float(batches), optimizer: optimizer, clip: options.gradientClip,
        recomputation: model.recomputation, dropout: dropout(step: step, batch: batches - 1),
        leavingUpdateDue: isFollowedByAnother(step), in: model.workspace,
        isTaken: { result in
          judgement = judge(loss: Float((sum + Double(result.loss)) / Double(batches)), result.gradientNorm)
          return judgement?.skipped == nil
        })
    } catch { throw TrainingError(error, step: step) }
    sum += Double(result.loss)
    return TrainingStep(
      step: step, loss: Float(sum / Double(batches)), learningRate: optimizer.learningRate,
      gradientNorm: result.gradientNorm, judgement: judgement, tokens: batches * batch.count,
      duration: .now - start)
  }

  /// What a batch's pass drops: passes are counted over all batches of all steps, and so the same after a resumption.
  private func dropout(step: Int, batch: Int) -> Dropout? {
    Dropout(
      probability: options.dropout, seed: options.seed, pass: step &* options.gradientAccumulation &+ batch)
  }

  /// nil without a guard.
  private func judge(loss: Float, _ norm: Double) -> SpikeGuard.Judgement? {
    guard options.spikeGuard.isOn else { return nil }
    return options.spikeGuard.judge(
      loss: Double(loss), norm: norm, after: ownProgress.trainingLosses.map { Double($0.loss) },
      ownProgress.gradientNorms)
  }

  private func nextTrainingBatch(step: Int) throws(TrainingError) -> Batch {
    if options.overfitsOneBatch { training.reset() }
    return try nextBatch(of: &training, step: step)
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

  /// Batches of one validation: as many as asked for, or as there are, so that none counts twice.
  private var validationBatches: Int { min(options.validationBatches, validation?.batchCount ?? 0) }

  private func validationLoss(step: Int) throws(TrainingError) -> Float? {
    guard var loader = validation else { return nil }
    model.context.passes("validation")
    loader.reset()
    var sum = 0.0
    for _ in 0..<validationBatches {
      let batch = try nextBatch(of: &loader, step: step)
      do { sum += Double(try model.network.evaluate(batch, in: model.inference)) } catch {
        throw TrainingError(error, step: step)
      }
    }
    let loss = Float(sum / Double(validationBatches))
    guard loss.isFinite else { throw .nonFiniteLoss(step: step, loss: loss) }
    return loss
  }

  private func sample(step: Int) throws(TrainingError) -> TrainingEvent {
    model.context.passes("sample")
    let prompts = options.samplePrompts
    let prompt =
      prompts.isEmpty
      ? [model.startToken(tokenizer: tokenizer)] : prompts[ownProgress.sampleCount % prompts.count]
    ownProgress.sampleCount += 1
    do {
      let tokens = try model.sample(
        after: prompt, length: options.sampleLength, generator: &ownProgress.generator)
      return .sample(step: step, tokens: tokens, text: tokenizer?.decode(tokens))
    } catch { throw TrainingError(error, step: step) }
  }
}
