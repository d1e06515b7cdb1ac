import Foundation
import GPT2
import Machine
import Operators
import TestSupport
import Tokens

/// Runs of the reference case `tiny` that are saved and resumed.
enum RunCase {
  static let tiny = ReferenceCase.tiny

  static func options(_ change: (inout TrainingOptions) -> Void = { _ in }) -> TrainingOptions {
    var options = TrainingOptions()
    options.steps = 10
    options.validationInterval = 3
    options.validationBatches = 2
    options.sampleInterval = 2
    options.sampleLength = 9
    options.optimizer.weightDecay = 0.01
    options.schedule = LearningRateSchedule(shape: .cosine, warmupSteps: 2)
    options.gradientClip = 1
    options.gradientAccumulation = 2
    change(&options)
    return options
  }

  static func loader(batchSize: Int = 1, data: URL = tiny.tokensInt32) throws -> DataLoader {
    try DataLoader(
      paths: [data.path], batchSize: batchSize, sequenceLength: tiny.sequenceLength,
      vocabularySize: tiny.vocabulary)
  }

  static func trainer(
    _ options: TrainingOptions = options(), threads: Int = 2, instructionSet: InstructionSet = .best,
    batchSize: Int = 1
  ) throws -> Trainer {
    try Trainer(
      model: try tiny.model(threads: threads, instructionSet: instructionSet),
      training: try loader(batchSize: batchSize), validation: try loader(), options: options)
  }

  /// Saves every third step; returns what was reported.
  @discardableResult
  static func run(_ trainer: Trainer, savingTo run: Run? = nil, until last: Int = .max) throws -> [String] {
    var events: [String] = []
    try trainer.run(
      report: { events.append(text($0)) }, shouldStop: { trainer.progress.step >= last },
      atStep: { if $0 > 0, $0.isMultiple(of: 3) { try run?.save(trainer) } })
    return events
  }

  /// All but times.
  static func text(_ event: TrainingEvent) -> String {
    switch event {
    case .train(let step):
      "train \(step.step) \(step.loss.bitPattern) \(step.learningRate) \(step.gradientNorm.bitPattern)"
    case .validation(let step, let loss): "validation \(step) \(loss.bitPattern)"
    case .sample(let step, let tokens, _): "sample \(step) \(tokens)"
    }
  }

  /// Parameters and what the optimizer keeps, by name.
  static func tensors(_ trainer: Trainer) throws -> [String: [Float]] {
    let state = try trainer.model.training()
    state.finishUpdate()
    var tensors = trainer.model.parameters.arrays
    for (slot, values) in state.slots {
      for (name, array) in values.arrays { tensors["\(slot).\(name)"] = array }
    }
    return tensors
  }
}
