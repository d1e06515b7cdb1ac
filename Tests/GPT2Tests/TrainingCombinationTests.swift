import GPT2
import Operators
import Reference
import TestSupport
import Testing
import Tokens

/// Every option of training with every other, as users run them, against plain loops over float64: losses, norms and
/// rates of every step, the losses of validation, and the parameters in the end.
///
/// The tolerances are those of rule 3, with the plain loops in float32 in PyTorch's place (`PlainTraining`): about 10⁻⁶, where an option that is left out moves a loss, a norm or a parameter by 10⁻³ and more.
@Suite struct TrainingCombinationTests {
  private static let sizes = ReferenceConfiguration(
    maximumSequenceLength: 8, vocabulary: 29, paddedVocabulary: 32, layers: 2, heads: 3, channels: 15)
  private static let (batchSize, sequenceLength, steps) = (2, 7, 4)

  /// An ε far above what rounding leaves of gradients that are zero (those of the keys' biases), which AdamW would
  /// otherwise take for a direction; and so large that AdamW, too, sees the gradients' scale.
  static let optimizers: [any Optimizer] = [
    AdamW(learningRate: 2e-2, beta1: 0.8, beta2: 0.9, epsilon: 1e-2), SGD(learningRate: 0.1, momentum: 0),
    SGD(learningRate: 0.05, momentum: 0.8), SGD(learningRate: 0.05, momentum: 0.8, nesterov: true),
    Muon(momentum: 0.8, others: AdamW(learningRate: 2e-2, beta1: 0.8, beta2: 0.9, epsilon: 1e-2)),
  ]

  /// What decides the numbers, apart from optimizer and activation.
  private static let numerics: [TrainingOptions] = {
    let decays: [(Double, WeightDecayScope)] = [(0, .all), (0.2, .all), (0.2, .matrices)]
    let schedules = [
      LearningRateSchedule(), LearningRateSchedule(shape: .linear, warmupSteps: 2, minimum: 1e-2),
      LearningRateSchedule(shape: .cosine, warmupSteps: 1, warmup: .nanogpt, minimum: 1e-2),
    ]
    return decays.flatMap { decay in
      [0, 0.1].flatMap { clip in
        [1, 3].flatMap { accumulation in
          schedules.map { schedule in
            var options = TrainingOptions()
            options.steps = steps
            (options.optimizer.weightDecay, options.optimizer.decay) = decay
            options.gradientClip = clip
            options.gradientAccumulation = accumulation
            options.schedule = schedule
            options.validationBatches = 2
            options.sampleLength = 5
            return options
          }
        }
      }
    }
  }()

  /// What comes between the steps: where something does, no update is left due before it.
  private static let interruptions: [(validation: Int, sample: Int)] = [(0, 0), (2, 0), (0, 3)]

  private static let tokens: [Int32] = {
    var random = TestRandom(seed: 1)
    return random.tokens(3 * steps * batchSize * sequenceLength + 1, vocabulary: sizes.vocabulary)
  }()

  private static let parameters = PlainPass.parameters(sizes, seed: 2, deviation: 0.3)

  private func trace(
    _ options: TrainingOptions, _ activation: Activation, _ recomputation: Recomputation,
    _ context: ExecutionContext
  ) throws -> [String: [Double]] {
    let sizes = Self.sizes
    let model = try Model(
      configuration: Configuration(
        maximumSequenceLength: sizes.maximumSequenceLength, vocabularySize: sizes.vocabulary,
        paddedVocabularySize: sizes.paddedVocabulary, layers: sizes.layers, heads: sizes.heads,
        channels: sizes.channels), activation: activation, context: context)
    model.recomputation = recomputation
    for tensor in model.parameters.tensors { tensor.copy(from: try #require(Self.parameters[tensor.name])) }
    let loader = try DataLoader(
      files: [TokenFile(name: "tokens", tokens: Self.tokens)], batchSize: Self.batchSize,
      sequenceLength: Self.sequenceLength, vocabularySize: sizes.vocabulary)
    let trainer = try Trainer(model: model, training: loader, validation: loader, options: options)
    var trace: [String: [Double]] = [:]
    try trainer.run { event in
      switch event {
      case .train(let step):
        trace["losses", default: []].append(Double(step.loss))
        trace["norms", default: []].append(step.gradientNorm)
        trace["rates", default: []].append(step.learningRate)
      case .validation(_, let loss): trace["validations", default: []].append(Double(loss))
      case .sample(_, let tokens, _): #expect(tokens.count == options.sampleLength)
      }
    }
    for tensor in model.parameters.tensors { trace[tensor.name] = tensor.array().map(Double.init) }
    return trace
  }

  /// All that decides the numbers in every combination. What should not decide them comes with each in turn: every
  /// interruption, and every recomputation with every interruption over three combinations.
  @Test(arguments: optimizers.indices, Activation.allCases)
  func everyOptionWithEveryOther(_ optimizer: Int, _ activation: Activation) throws {
    let contexts = try [ExecutionContext(threads: 1), ExecutionContext(threads: 3)]
    for (number, numerics) in Self.numerics.enumerated() {
      var options = numerics
      options.optimizer = Self.optimizers[optimizer]
      options.optimizer.weightDecay = numerics.optimizer.weightDecay
      options.optimizer.decay = numerics.optimizer.decay
      options.validationInterval = 2
      let plain = try PlainTraining(
        Self.sizes, parameters: Self.parameters, activation: activation, options: options,
        tokens: Self.tokens,
        batchSize: Self.batchSize, sequenceLength: Self.sequenceLength)
      for (index, interruption) in Self.interruptions.enumerated() {
        (options.validationInterval, options.sampleInterval) = interruption
        let recomputation = Recomputation.allCases[(number + index) % Recomputation.allCases.count]
        let trace = try trace(options, activation, recomputation, contexts[number % 2])
        #expect(trace.count == (interruption.validation > 0 ? 20 : 19))
        for (name, values) in trace {
          let difference = try maximumDifference(values, plain.exact[name, default: []])
          let allowed = plain.tolerances[name, default: 0]
          #expect(
            difference.magnitude <= allowed,
            "\(name): \(difference), allowed \(allowed); \(options), \(recomputation)")
        }
      }
    }
  }
}
