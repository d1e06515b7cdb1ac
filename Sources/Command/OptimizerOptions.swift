import ArgumentParser
import GPT2
import Operators
import Terminal

/// The options that say how gradients become steps: the optimizer, its learning rate's schedule, clipping.
struct OptimizerOptions: ParsableArguments {
  @Option(
    parsing: .unconditional,
    help: """
      How gradients become steps: adamw; sgd (stochastic gradient descent with momentum); or muon (matrices of the \
      layers step in orthogonalized directions, all else as with adamw).
      """)
  var optimizer: OptimizerName = .adamw
  @Option(
    parsing: .unconditional,
    help: number("How far a step goes. (default: 1e-4; built-in corpus: 1e-3; sgd: 1e-2)"))
  var learningRate: Double?
  @Option(
    parsing: .unconditional,
    help: number(
      "adamw and muon: how much of the running mean of the gradients a step keeps, below 1. (default: 0.9)"))
  var beta1: Double?
  @Option(
    parsing: .unconditional,
    help: number("adamw and muon: the same of the mean of their squares, below 1. (default: 0.999)"))
  var beta2: Double?
  @Option(
    parsing: .unconditional,
    help: number(
      "adamw and muon: added to the root of that mean, by which a step is divided; above 0. (default: 1e-8)"))
  var epsilon: Double?
  @Option(
    parsing: .unconditional,
    help: number(
      "sgd and muon: how much of the step before a step keeps: 0, nothing, to below 1. (default: 0.9; muon: 0.95)"
    ))
  var momentum: Double?
  @Flag(help: "Only sgd: Nesterov's step, which looks ahead along the momentum.")
  var nesterov = false
  @Option(
    parsing: .unconditional,
    help: number(
      """
      How fast weights shrink towards 0: each step of adamw and muon takes this times the learning rate times the weight off \
      it; sgd adds this times the weight to its gradient. (default: 0)
      """))
  var weightDecay: Double?
  @Option(
    parsing: .unconditional,
    help: """
      What --weight-decay shrinks: all tensors, or matrices: the weight matrices and embeddings but no bias or norm \
      (as in nanoGPT). (default: all)
      """)
  var decay: WeightDecayScope?
  @Option(
    parsing: .unconditional,
    help: number(
      """
      The largest norm of all gradients together, often 1: larger ones are scaled down to it; 0: never. (default: 0)
      """))
  var gradientClip: Double?
  @Option(
    parsing: .unconditional,
    help:
      """
      The learning rate after the warm-up: constant, or falling to --min-learning-rate: cosine, linear, or wsd, which \
      is constant before it falls.
      """)
  var schedule: LearningRateSchedule.Shape = .constant
  @Option(
    parsing: .unconditional,
    help: wholeNumber(
      "First steps, in which the learning rate rises in a line to its full size. (default: 0; built-in corpus: 20)"
    ))
  var warmupSteps: Int?
  @Option(
    parsing: .unconditional,
    help: """
      Whose warm-up: llm.c's, whose last step has the full rate, or nanoGPT's, behind whose last step it comes. \
      (default: llmc)
      """)
  var warmup: LearningRateSchedule.Warmup?
  @Option(
    parsing: .unconditional,
    help: wholeNumber("Only wsd: the last steps, in which the learning rate falls. (default: a fifth of all)")
  )
  var decaySteps: Int?
  @Option(
    parsing: .unconditional,
    help: number("What a schedule that falls comes to at the end. (default: 0)"))
  var minLearningRate: Double?

  func validate() throws {
    let owners: [(String, Bool, [OptimizerName])] = [
      ("--beta1", beta1 != nil, [.adamw, .muon]), ("--beta2", beta2 != nil, [.adamw, .muon]),
      ("--epsilon", epsilon != nil, [.adamw, .muon]),
      ("--momentum", momentum != nil, [.sgd, .muon]), ("--nesterov", nesterov, [.sgd]),
    ]
    for (option, isGiven, owners) in owners where isGiven && !owners.contains(optimizer) {
      throw ValidationError(
        "\(option) is an option of \(owners.map(\.rawValue).joined(separator: " and ")), but the optimizer is"
          + " \(optimizer.rawValue): give --optimizer \(owners[0].rawValue), or leave \(option) out")
    }
    if nesterov, momentum == 0 {
      throw ValidationError("--nesterov needs a --momentum above 0, found 0: leave one of them out")
    }
  }

  /// - Throws: `ValidationError` for an option that would have no effect and was meant to have one.
  func checkCombination() throws {
    if decay != nil, weightDecay == nil {
      throw ValidationError(
        "--decay says what --weight-decay shrinks, found none: give --weight-decay, often 0.1")
    }
    if minLearningRate != nil, schedule == .constant {
      throw ValidationError(
        "--min-learning-rate is for a schedule that falls, found constant: give --schedule cosine, linear or wsd"
      )
    }
    if warmup != nil, warmupSteps == nil {
      throw ValidationError(
        "--warmup says how the rate rises over --warmup-steps, found none: give --warmup-steps, often 100")
    }
    if decaySteps != nil, schedule != .wsd {
      throw ValidationError(
        "--decay-steps is an option of wsd, but the schedule is \(schedule.rawValue): give --schedule wsd, or"
          + " leave --decay-steps out")
    }
  }

  /// Refuses a schedule of more steps than the run has.
  ///
  /// - Throws: `ValidationError`.
  func checkSchedule(steps: Int) throws(ValidationError) {
    let warmup = warmupSteps ?? 0
    guard warmup <= steps else {
      throw ValidationError(
        "--warmup-steps should be at most the \(NumberText.count(steps, "step")) of the run, but is \(warmup)"
      )
    }
    guard schedule == .wsd else { return }
    let decay = learningRateSchedule(defaults: LearningRateSchedule()).decaySteps(of: steps)
    guard decay <= steps - warmup else {
      throw ValidationError(
        "--decay-steps should be at most \(steps - warmup), the steps of the run after the warm-up, but is \(decay)"
          + (decaySteps == nil ? ", a fifth of all" : ""))
    }
  }

  /// - Parameter learningRate: the default of AdamW.
  func optimizer(learningRate: Double) -> any Optimizer { make(optimizer, learningRate: learningRate) }

  /// The names of what only optimizers have that were not chosen.
  var otherHyperparameters: [String] {
    func names(_ optimizer: OptimizerName) -> [String] {
      make(optimizer, learningRate: 0).hyperparameters.map(\.name)
    }
    return Set(OptimizerName.allCases.flatMap(names)).subtracting(names(optimizer)).sorted()
  }

  private func make(_ name: OptimizerName, learningRate default: Double) -> any Optimizer {
    let (weightDecay, decay) = (weightDecay ?? 0, decay ?? .all)
    let adamW = AdamW(
      learningRate: learningRate ?? `default`, beta1: beta1 ?? 0.9, beta2: beta2 ?? 0.999,
      epsilon: epsilon ?? 1e-8, weightDecay: weightDecay, decay: decay)
    return switch name {
    case .adamw: adamW
    case .muon: Muon(momentum: momentum ?? 0.95, others: adamW)
    case .sgd:
      SGD(
        learningRate: learningRate ?? 1e-2, momentum: momentum ?? 0.9, nesterov: nesterov,
        weightDecay: weightDecay, decay: decay)
    }
  }

  func learningRateSchedule(defaults: LearningRateSchedule) -> LearningRateSchedule {
    LearningRateSchedule(
      shape: schedule, warmupSteps: warmupSteps ?? defaults.warmupSteps, warmup: warmup ?? defaults.warmup,
      minimum: minLearningRate ?? 0, decaySteps: decaySteps)
  }
}

/// The optimizers by the names that choose them.
enum OptimizerName: String, CaseIterable, ExpressibleByArgument {
  case adamw, sgd, muon
}

extension WeightDecayScope: ExpressibleByArgument {}
extension LearningRateSchedule.Shape: ExpressibleByArgument {}
extension LearningRateSchedule.Warmup: ExpressibleByArgument {}
