import ArgumentParser
import GPT2
import Operators
import Terminal
import Tokens

/// What a run trains with, in words.
enum TrainingText {
  /// "sgd, learning rate 0.01 falling to 0 (cosine) after 10 warm-up steps, momentum 0.9, nesterov 0,
  /// weight decay 0.1 of matrices, gradients clipped to 1".
  static func optimizer(_ options: TrainingOptions) -> String {
    let (optimizer, schedule) = (options.optimizer, options.schedule)
    var rate = "learning rate \(text(optimizer.learningRate))"
    if schedule.shape != .constant {
      let last = schedule.shape == .wsd ? ", the last \(schedule.decaySteps(of: options.steps)) steps" : ""
      rate += " falling to \(text(schedule.minimum)) (\(schedule.shape.rawValue)\(last))"
    }
    if schedule.warmupSteps > 0 {
      rate += " after \(NumberText.count(schedule.warmupSteps, "warm-up step"))"
      if schedule.warmup != .llmc { rate += " (\(schedule.warmup.rawValue)'s)" }
    }
    var parts = [type(of: optimizer).name, rate]
    parts += optimizer.hyperparameters.map { "\($0.name) \(text($0.value))" }
    if optimizer.weightDecay > 0 {
      parts.append("weight decay \(text(optimizer.weightDecay)) of \(optimizer.decay.rawValue)")
    }
    if options.dropout > 0 { parts.append("dropout \(text(options.dropout))") }
    if options.gradientClip > 0 { parts.append("gradients clipped to \(text(options.gradientClip))") }
    for (name, limit) in [
      ("loss", options.spikeGuard.lossLimit), ("norm", options.spikeGuard.normLimit),
    ] where limit > 0 { parts.append("updates skipped above a \(name) of z \(text(limit))") }
    return parts.joined(separator: ", ")
  }

  /// ", in random order, 3 epochs in 100 steps" behind the batches of the training data.
  static func order(of training: DataLoader, _ options: TrainingOptions, epochs: Int?) -> String {
    (training.order == .sequential ? "" : ", in \(training.order.rawValue) order")
      + (epochs.map {
        ", \($0) epoch\($0 == 1 ? "" : "s") in \(NumberText.count(options.steps, "step"))"
      } ?? "")
  }

  /// The shortest digits that give the number, without ".0".
  private static func text(_ value: Double) -> String {
    let text = "\(value)"
    return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
  }

  /// The options by the names that the library's errors have for them.
  private static let options = [
    "the number of steps": "--steps", "the number of accumulated batches": "--gradient-accumulation",
    "the validation interval": "--val-every", "the number of validation batches": "--val-batches",
    "the sample interval": "--sample-every", "the sample length": "--sample-length",
    "the number of warm-up steps": "--warmup-steps",
    "the number of decay steps": "--decay-steps", "the learning rate": "--learning-rate",
    "the weight decay": "--weight-decay", "beta1": "--beta1", "beta2": "--beta2", "epsilon": "--epsilon",
    "the momentum": "--momentum", "the largest gradient norm": "--gradient-clip",
    "the lowest learning rate": "--min-learning-rate", "the dropout": "--dropout",
    "the z of the loss above which updates are skipped": "--skip-update-loss-z",
    "the z of the gradient norm above which updates are skipped": "--skip-update-norm-z",
  ]

  /// Checks what was asked for.
  ///
  /// - Throws: `ValidationError`, which names the option to mend.
  static func check(_ options: TrainingOptions, for training: DataLoader? = nil) throws(ValidationError) {
    do throws(TrainingError) {
      try options.check()
      if let training { try options.check(for: training) }
    } catch {
      throw ValidationError(namingOption(error, Self.options))
    }
  }
}
