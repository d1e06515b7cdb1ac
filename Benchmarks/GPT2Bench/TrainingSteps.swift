import GPT2
import Operators

/// Training steps of a model over one batch of random tokens, each of which takes the update that the one before it left
/// due, as in a run.
struct TrainingSteps {
  let model: Model
  private let training: TrainingState
  private let batch: Batch
  private let clip: Double

  /// - Parameter batchSize: by default the session's, and at most that.
  init(_ model: Model, _ session: Session, batchSize: Int? = nil) throws {
    let settings = session.settings
    let batchSize = batchSize ?? settings.batchSize
    let rows = batchSize * settings.sequenceLength
    self.model = model
    training = try model.training()
    clip = settings.gradientClip
    batch = try Batch(
      Array(session.tokens(seed: 1).prefix(rows)), targets: Array(session.tokens(seed: 2).prefix(rows)),
      batchSize: batchSize, sequenceLength: settings.sequenceLength, for: model.configuration)
  }

  func step() throws {
    training.gradients.zero()
    _ = try training.step(
      batch, optimizer: AdamW(), clip: clip, recomputation: model.recomputation, leavingUpdateDue: true,
      in: model.workspace)
  }

  func finish() { training.finishUpdate() }
}
