import GPT2
import Operators
import RealModule
import Reference

/// Training as plain loops over `ReferenceModel`: what `Trainer` should come to.
public struct PlainTraining {
  /// Everything by name: "losses", "norms" and "rates" of the steps, "validations", and the parameters; in float64.
  public let exact: [String: [Double]]
  /// How far each of these may be off: by rule 3, and a parameter by a rounding for each update of it more.
  public let tolerances: [String: Double]

  /// Runs all steps.
  ///
  /// - Parameters:
  ///   - parameters: the sixteen tensors at the start.
  ///   - tokens: enough for all batches, which lie one after the other; those of validation are the first.
  public init(
    _ configuration: ReferenceConfiguration, parameters: [String: [Float]], activation: Activation,
    options: TrainingOptions, tokens: [Int32], batchSize: Int, sequenceLength: Int
  ) throws {
    func trace<Scalar: Real & BinaryFloatingPoint>(_ type: Scalar.Type) -> [String: [Double]] {
      PlainTrainer<Scalar>(
        configuration, parameters: parameters, activation: activation, options: options, tokens: tokens,
        batchSize: batchSize, sequenceLength: sequenceLength
      ).trace
    }
    exact = trace(Double.self)
    var tolerances = try float32Tolerances(exact: exact, float32: trace(Float.self))
    for (name, values) in exact where parameters[name] != nil {
      let largest = values.reduce(0) { max($0, abs($1)) }
      tolerances[name, default: 0] += Double(options.steps) * 0x1p-24 * largest
    }
    self.tolerances = tolerances
  }
}

private struct PlainTrainer<Scalar: Real & BinaryFloatingPoint> {
  private(set) var trace: [String: [Double]]
  private var model: ReferenceModel<Scalar>
  private var velocities: [String: [Scalar]]
  private let options: TrainingOptions
  private let tokens: [Int32]
  private let batchSize, sequenceLength: Int

  init(
    _ configuration: ReferenceConfiguration, parameters: [String: [Float]], activation: Activation,
    options: TrainingOptions, tokens: [Int32], batchSize: Int, sequenceLength: Int
  ) {
    model = ReferenceModel(
      configuration: configuration, parameters: parameters.mapValues { $0.map(Scalar.init) },
      activation: activation.plain)
    velocities = configuration.zeros(Scalar.self)
    (self.options, self.tokens) = (options, tokens)
    (self.batchSize, self.sequenceLength) = (batchSize, sequenceLength)
    trace = ["losses": [], "norms": [], "rates": [], "validations": []]
    for step in 0..<options.steps {
      validate(step)
      train(step)
    }
    validate(options.steps)
    for (name, values) in model.parameters { trace[name] = values.map { Double($0) } }
  }

  private mutating func loss(_ batch: Int) -> Scalar {
    let count = batchSize * sequenceLength
    let start = batch * count
    return model.forward(
      Array(tokens[start..<start + count]), targets: Array(tokens[start + 1..<start + count + 1]),
      batchSize: batchSize, sequenceLength: sequenceLength
    ).loss
  }

  private mutating func validate(_ step: Int) {
    guard options.validationInterval > 0, step % options.validationInterval == 0 else { return }
    let losses = (0..<options.validationBatches).map { Double(loss($0)) }
    trace["validations", default: []].append(losses.reduce(0, +) / Double(losses.count))
  }

  private mutating func train(_ step: Int) {
    let batches = options.gradientAccumulation
    model.zeroGradients()
    var sum = 0.0
    for batch in 0..<batches {
      sum += Double(loss(step * batches + batch))
      model.backward()
    }
    scaleGradients(by: 1 / Scalar(batches))
    let (norm, rate) = (model.gradientNorm, self.rate(step))
    if options.gradientClip > 0, Double(norm) > options.gradientClip {
      scaleGradients(by: Scalar(options.gradientClip) / norm)
    }
    update(rate: Scalar(rate), step: step)
    trace["losses", default: []].append(sum / Double(batches))
    trace["norms", default: []].append(Double(norm))
    trace["rates", default: []].append(rate)
  }

  private mutating func scaleGradients(by factor: Scalar) {
    model.gradients = model.gradients.mapValues { $0.map { $0 * factor } }
  }

  /// Up over the warm-up, then down to the minimum, along a line or half a wave.
  private func rate(_ step: Int) -> Double {
    let (schedule, peak) = (options.schedule, options.optimizer.learningRate)
    let warmup = schedule.warmupSteps
    if step < warmup {
      return peak * Double(step + 1) / Double(schedule.warmup == .llmc ? warmup : warmup + 1)
    }
    let progress = Double(step - warmup) / Double(options.steps - warmup)
    switch schedule.shape {
    case .constant: return peak
    case .wsd: preconditionFailure("no plain loops for wsd: LearningRateScheduleTests has its rates")
    case .linear: return peak - (peak - schedule.minimum) * progress
    case .cosine: return schedule.minimum + (peak - schedule.minimum) * (1 + Double.cos(.pi * progress)) / 2
    }
  }

  private mutating func update(rate: Scalar, step: Int) {
    // As in nanoGPT: what has at least two dimensions in a layer.
    let decayed: Set = ["wte", "wpe", "qkvw", "attprojw", "fcw", "fcprojw"]
    for (name, _) in model.configuration.tensors {
      let optimizer = options.optimizer
      let decays = optimizer.decay == .all || decayed.contains(name)
      let decay = decays ? Scalar(optimizer.weightDecay) : 0
      let gradients = model.gradients[name, default: []]
      if let adamW = optimizer as? AdamW {
        ReferenceAdamW(
          learningRate: rate, beta1: Scalar(adamW.beta1), beta2: Scalar(adamW.beta2),
          epsilon: Scalar(adamW.epsilon), weightDecay: decay
        ).update(
          gradients: gradients, step: step + 1, parameters: &model.parameters[name, default: []],
          firstMoment: &model.firstMoments[name, default: []],
          secondMoment: &model.secondMoments[name, default: []])
      } else if let sgd = optimizer as? SGD {
        ReferenceSGD(
          learningRate: rate, momentum: Scalar(sgd.momentum), nesterov: sgd.nesterov, weightDecay: decay
        ).update(
          gradients: gradients, parameters: &model.parameters[name, default: []],
          momentum: &velocities[name, default: []])
      } else if let muon = optimizer as? Muon {
        updateWithMuon(muon, name, gradients, rate: rate, decay: decay, step: step)
      } else {
        preconditionFailure("no plain loops for \(type(of: optimizer).name)")
      }
    }
  }
}

extension PlainTrainer {
  private mutating func updateWithMuon(
    _ muon: Muon, _ name: String, _ gradients: [Scalar], rate: Scalar, decay: Scalar, step: Int
  ) {
    guard ["qkvw", "attprojw", "fcw", "fcprojw"].contains(name) else {
      return ReferenceAdamW(
        learningRate: rate, beta1: Scalar(muon.others.beta1), beta2: Scalar(muon.others.beta2),
        epsilon: Scalar(muon.others.epsilon), weightDecay: decay
      ).update(
        gradients: gradients, step: step + 1, parameters: &model.parameters[name, default: []],
        firstMoment: &model.firstMoments[name, default: []],
        secondMoment: &model.secondMoments[name, default: []])
    }
    let columns = name == "fcprojw" ? 4 * model.configuration.channels : model.configuration.channels
    let size = gradients.count / model.configuration.layers
    let plain = ReferenceMuon(learningRate: rate, momentum: Scalar(muon.momentum), weightDecay: decay)
    for layer in 0..<model.configuration.layers {
      let range = layer * size..<(layer + 1) * size
      var parameters = Array(model.parameters[name, default: []][range])
      var velocity = Array(velocities[name, default: []][range])
      plain.update(
        gradients: Array(gradients[range]), rows: size / columns, columns: columns, parameters: &parameters,
        momentum: &velocity)
      model.parameters[name]?.replaceSubrange(range, with: parameters)
      velocities[name]?.replaceSubrange(range, with: velocity)
    }
  }
}

/// Rule 3 of the numerical rules where there are no numbers of PyTorch: the plain loops in float32 take its place.
///
/// - Returns: for each name of `exact`, 4 × max(the largest error of `float32`, 2⁻²⁴ × the largest magnitude).
public func float32Tolerances(
  exact: [String: [Double]], float32: [String: [Double]]
) throws -> [String: Double] {
  var tolerances: [String: Double] = [:]
  for (name, values) in exact where !values.isEmpty {
    let error = try maximumDifference(float32[name, default: []], values).magnitude
    let largest = values.reduce(0) { max($0, abs($1)) }
    tolerances[name] = 4 * max(error, 0x1p-24 * largest)
  }
  return tolerances
}
