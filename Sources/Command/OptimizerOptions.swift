import ArgumentParser
import GPT2
import Operators
import Terminal

/// The options that say how gradients become steps: the optimizer, its learning rate's schedule, clipping.
struct OptimizerOptions: ParsableArguments {
  @Option(
    parsing: .unconditional,
    help: "How gradients become steps: adamw, or sgd (stochastic gradient descent with momentum).")
  var optimizer: OptimizerName = .adamw
  @Option(
    parsing: .unconditional,
    help: number("The step's size. (default: 1e-4; built-in corpus: 1e-3; sgd: 1e-2)"))
  var learningRate: Double?
  @Option(parsing: .unconditional, help: number("Of adamw: the first moment's decay. (default: 0.9)"))
  var beta1: Double?
  @Option(parsing: .unconditional, help: number("Of adamw: the second moment's decay. (default: 0.999)"))
  var beta2: Double?
  @Option(
    parsing: .unconditional, help: number("Of adamw: added to the second moment's root. (default: 1e-8)"))
  var epsilon: Double?
  @Option(
    parsing: .unconditional,
    help: number("Of sgd: how much of its last step a step keeps; 0: none. (default: 0.9)"))
  var momentum: Double?
  @Flag(help: "Of sgd: Nesterov's step, which looks ahead along the momentum.")
  var nesterov = false
  @Option(
    parsing: .unconditional,
    help: number("How fast weights shrink: decoupled with adamw, part of the gradient with sgd."))
  var weightDecay = 0.0
  @Option(
    parsing: .unconditional,
    help: """
      What shrinks: all tensors, or matrices, which are the weight matrices and embeddings but no bias or norm \
      (as in nanoGPT).
      """)
  var decay: WeightDecayScope = .all
  @Option(
    parsing: .unconditional,
    help: number("The largest norm of the gradients: larger ones are scaled down to it; 0: any."))
  var gradientClip = 0.0
  @Option(
    parsing: .unconditional, help: "The learning rate's way after the warm-up: constant, cosine or linear.")
  var schedule: LearningRateSchedule.Shape = .constant
  @Option(
    parsing: .unconditional, help: number("Steps of a linear ascent. (default: 0; built-in corpus: 20)"))
  var warmupSteps: Int?
  @Option(parsing: .unconditional, help: number("Where cosine and linear end."))
  var minLearningRate = 0.0

  func validate() throws {
    let others: [(String, Bool, OptimizerName)] = [
      ("--beta1", beta1 != nil, .adamw), ("--beta2", beta2 != nil, .adamw),
      ("--epsilon", epsilon != nil, .adamw),
      ("--momentum", momentum != nil, .sgd), ("--nesterov", nesterov, .sgd),
    ]
    for (option, isGiven, owner) in others where isGiven && owner != optimizer {
      throw ValidationError(
        "\(option) is for --optimizer \(owner.rawValue), found --optimizer \(optimizer.rawValue)")
    }
  }

  /// - Parameter learningRate: the default of AdamW.
  func optimizer(learningRate default: Double) -> any Optimizer {
    switch optimizer {
    case .adamw:
      AdamW(
        learningRate: learningRate ?? `default`, beta1: beta1 ?? 0.9, beta2: beta2 ?? 0.999,
        epsilon: epsilon ?? 1e-8, weightDecay: weightDecay, decay: decay)
    case .sgd:
      SGD(
        learningRate: learningRate ?? 1e-2, momentum: momentum ?? 0.9, nesterov: nesterov,
        weightDecay: weightDecay, decay: decay)
    }
  }

  func learningRateSchedule(defaults: LearningRateSchedule) -> LearningRateSchedule {
    LearningRateSchedule(
      shape: schedule, warmupSteps: warmupSteps ?? defaults.warmupSteps, minimum: minLearningRate)
  }
}

/// The optimizers by the names that choose them.
enum OptimizerName: String, CaseIterable, ExpressibleByArgument {
  case adamw, sgd
}

extension WeightDecayScope: ExpressibleByArgument {}
extension LearningRateSchedule.Shape: ExpressibleByArgument {}
