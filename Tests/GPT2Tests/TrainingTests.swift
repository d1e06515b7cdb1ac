import Foundation
import GPT2
import Machine
import Operators
import TestSupport
import Testing
import Tokens

@Suite struct TrainingTests {
  private static let tiny = ReferenceCase.tiny

  private func model() throws -> Model {
    try Model(
      checkpoint: Checkpoint(path: Self.tiny.model.path), context: ExecutionContext(threads: 2))
  }

  private func loader(batchSize: Int = tiny.batchSize) throws -> DataLoader {
    try DataLoader(
      paths: [Self.tiny.tokensInt32.path], batchSize: batchSize, sequenceLength: Self.tiny.sequenceLength,
      vocabularySize: Self.tiny.vocabulary)
  }

  private func options(_ change: (inout TrainingOptions) -> Void = { _ in }) -> TrainingOptions {
    var options = TrainingOptions()
    options.steps = 10
    options.optimizer.weightDecay = 0.01
    options.sampleInterval = 0
    change(&options)
    return options
  }

  private func run(
    _ options: TrainingOptions, training: DataLoader? = nil, validation: DataLoader? = nil,
    tokenizer: Tokenizer? = nil
  ) throws -> [TrainingEvent] {
    var events: [TrainingEvent] = []
    let trainer = try Trainer(
      model: try model(), training: try training ?? loader(), validation: validation, tokenizer: tokenizer,
      options: options)
    try trainer.run { events.append($0) }
    return events
  }

  private func steps(_ events: [TrainingEvent]) -> [TrainingStep] {
    events.compactMap { if case .train(let step) = $0 { step } else { nil } }
  }

  @Test func lossesAreTheReferences() throws {
    let expected = try Self.tiny.expected()
    let losses = steps(try run(options())).map(\.loss)
    let difference = try maximumDifference(losses, try expected.values("losses"))
    #expect(difference.magnitude <= (try expected.float32Tolerance("losses")), "\(difference)")
  }

  /// Validation and samples change nothing that training sees.
  @Test func otherEventsLeaveTheLossesAlone() throws {
    let plain = steps(try run(options()))
    let events = try run(
      options {
        $0.validationInterval = 3
        $0.validationBatches = 4
        $0.sampleInterval = 2
        $0.sampleLength = 20
      }, validation: try loader())
    #expect(steps(events).map(\.loss) == plain.map(\.loss))
    let names = events.map { event in
      switch event {
      case .train(let step): "train \(step.step)"
      case .validation(let step, _): "validation \(step)"
      case .sample(let step, _, _): "sample \(step)"
      }
    }
    #expect(
      names == [
        "validation 0", "train 0", "train 1", "sample 2", "train 2", "validation 3", "train 3", "sample 4",
        "train 4", "train 5", "validation 6", "sample 6", "train 6", "train 7", "sample 8", "train 8",
        "validation 9", "train 9", "sample 10",
      ])
  }

  @Test func validationIsTheMeanOverTheSameBatches() throws {
    let events = try run(
      options {
        $0.steps = 1
        $0.optimizer.learningRate = 0
        $0.validationInterval = 1
        $0.validationBatches = 3
      }, validation: try loader())
    let losses = events.compactMap { if case .validation(_, let loss) = $0 { loss } else { nil } }
    var (sum, data, model) = (0.0, try loader(), try model())
    for _ in 0..<3 {
      try data.nextBatch()
      try model.forward(
        data.inputs.array, targets: data.targets.array, batchSize: data.batchSize,
        sequenceLength: data.sequenceLength)
      sum += Double(try #require(model.meanLoss))
    }
    // Twice the same: before the step, and after it with nothing learnt.
    #expect(losses == [Float(sum / 3), Float(sum / 3)])
  }

  /// Two batches of one sequence, accumulated, are one batch of two: the same sums in another order.
  @Test func accumulationAveragesBatches() throws {
    let whole = steps(try run(options()))
    let halves = steps(try run(options { $0.gradientAccumulation = 2 }, training: try loader(batchSize: 1)))
    let tolerance = try Self.tiny.expected().float32Tolerance("losses")
    for (whole, halves) in zip(whole, halves) {
      #expect(halves.tokens == whole.tokens)
      // Both are within the tolerance of the true loss.
      #expect(abs(Double(halves.loss) - Double(whole.loss)) <= 2 * tolerance, "step \(whole.step)")
    }
  }

  @Test func theScheduleSetsEveryStepsRate() throws {
    let schedule = LearningRateSchedule(shape: .cosine, warmupSteps: 4, minimum: 1e-5)
    let rates = steps(try run(options { $0.schedule = schedule })).map(\.learningRate)
    #expect(rates == (0..<10).map { schedule.rate(step: $0, steps: 10, peak: 1e-4) })
  }

  @Test func scheduleValues() {
    func rates(_ shape: LearningRateSchedule.Shape) -> [Double] {
      let schedule = LearningRateSchedule(shape: shape, warmupSteps: 2, minimum: 2)
      return (0...6).map { schedule.rate(step: $0, steps: 6, peak: 10) }
    }
    #expect(rates(.constant) == [5, 10, 10, 10, 10, 10, 10])
    #expect(rates(.linear) == [5, 10, 10, 8, 6, 4, 2])
    let cosine = [5, 10, 10, 6 + 4 * 0.5.squareRoot(), 6, 6 - 4 * 0.5.squareRoot(), 2]
    // A cosine is good to some ulp of 1, here times 4.
    #expect(zip(rates(.cosine), cosine).allSatisfy { abs($0 - $1) < 1e-14 })
    // Where glibc 2.36 rounds the cosine the other way.
    let even = LearningRateSchedule(shape: .cosine)
    let bits = [248, 314].map { even.rate(step: $0, steps: 1000, peak: 2) }
    #expect(bits == [0x1.b62733bf8d147p0, 0x1.8d38a9ed5292fp0])
    // Nothing but warm-up, and a run shorter than it.
    #expect(LearningRateSchedule(shape: .linear, warmupSteps: 9).rate(step: 2, steps: 3, peak: 9) == 3)
  }

  @Test func samplesStartFromPromptsInTurnAndDependOnTheSeed() throws {
    func samples(_ change: (inout TrainingOptions) -> Void) throws -> [[Int32]] {
      let events = try run(
        options {
          $0.steps = 3
          $0.sampleInterval = 1
          $0.sampleLength = 24
          change(&$0)
        })
      return events.compactMap { if case .sample(_, let tokens, _) = $0 { tokens } else { nil } }
    }
    let first = try samples { _ in }
    #expect(
      first.count == 3 && first.allSatisfy { $0.count == 24 && $0[0] == 0 && $0.allSatisfy { $0 < 29 } })
    // One generator goes on from sample to sample.
    #expect(first[0] != first[1])
    #expect(try samples { _ in } == first)
    #expect(try samples { $0.seed = 7 } != first)
    let prompted = try samples { $0.samplePrompts = [[5, 6], [7]] }
    #expect(prompted.map { $0.prefix(2).first } == [5, 7, 5] && prompted[0][1] == 6)
  }

  @Test func samplesBecomeText() throws {
    let tokenizer = Tokenizer(tokens: (0..<29).map { [65 + $0] }, endOfText: 28)
    let events = try run(
      options {
        $0.steps = 1
        $0.sampleInterval = 1
        $0.sampleLength = 5
      }, tokenizer: tokenizer)
    guard case .sample(1, let tokens, let text) = events.last else {
      Issue.record("expected a sample at the end, found \(events)")
      return
    }
    #expect(tokens[0] == 28 && text == tokenizer.decode(tokens))
  }

  @Test func lossesThatAreNotFiniteEndTheRun() throws {
    let broken = try model()
    broken.parameters["lnfw"]?[0] = .nan
    let trainer = try Trainer(model: broken, training: try loader(), options: options())
    let before = broken.parameters["wte"]?.array()
    #expect(sentence { try trainer.run { _ in } }?.hasPrefix("the loss of step 0 should be finite") ?? false)
    #expect(broken.updateCount == 0 && broken.parameters["wte"]?.array() == before)
    let wild = options { $0.optimizer.learningRate = 1e30 }
    #expect(sentence { _ = try run(wild) }?.contains("diverged") ?? false)
  }

  @Test func whatReportThrowsEndsTheRun() throws {
    let (stopped, whole) = (try model(), try model())
    let trainer = try Trainer(model: stopped, training: try loader(), options: options())
    var count = 0
    let text = sentence {
      try trainer.run { _ in
        count += 1
        if count == 2 { throw FileError.exists(path: "FILE") }
      }
    }
    #expect(count == 2 && text == FileError.exists(path: "FILE").description)
    // Both steps have been taken, the second one's update, too.
    try Trainer(model: whole, training: try loader(), options: options { $0.steps = 2 }).run { _ in }
    #expect(firstDifference(stopped.parameters.arrays, whole.parameters.arrays) == nil)
  }

  @Test func optionsOutsideTheirRangesAreRefused() throws {
    let changes: [(inout TrainingOptions) -> Void] = [
      { $0.steps = 0 }, { $0.gradientAccumulation = 0 }, { $0.validationInterval = -1 },
      { $0.validationBatches = 0 }, { $0.sampleInterval = -1 }, { $0.sampleLength = 0 },
      { $0.schedule.warmupSteps = -1 }, { $0.schedule.minimum = 1 }, { $0.optimizer.learningRate = -1 },
      { $0.optimizer.learningRate = 1e39 }, { $0.optimizer = AdamW(beta1: 1) },
      { $0.optimizer = AdamW(beta2: -0.1) }, { $0.optimizer = AdamW(epsilon: 0) },
      { $0.optimizer.weightDecay = .nan }, { $0.gradientClip = -1 }, { $0.optimizer = SGD(momentum: 1) },
    ]
    for (index, change) in changes.enumerated() {
      #expect(sentence { try options(change).check() }?.contains(" should be ") ?? false, "\(index)")
    }
    try options().check()
  }

  @Test func batchesThatDoNotFitAreRefusedBeforeMemoryIsTouched() throws {
    let model = try model()
    #expect(
      sentence { try model.reserve(batchSize: 1, sequenceLength: 17) }?.contains("context of 16") ?? false)
    #expect(sentence { try model.reserve(batchSize: 0, sequenceLength: 1) }?.contains("at least 1") ?? false)
    let before = ProcessUsage.current.residentBytes
    #expect(
      sentence { try model.reserve(batchSize: 1 << 30, sequenceLength: 16) }?.contains("bytes") ?? false)
    #expect(ProcessUsage.current.residentBytes - before < 1 << 28)
  }
}

@Suite struct VerificationTests {
  @Test(arguments: ReferenceCase.all)
  func everyReferenceCasePasses(_ reference: ReferenceCase) throws {
    for url in [reference.model, reference.modelVersion1, reference.modelBFloat16] {
      let checkpoint = try Checkpoint(path: url.path)
      let model = try Model(checkpoint: checkpoint, context: ExecutionContext(threads: 2))
      let state = try DebugState(path: reference.debugState.path, configuration: checkpoint.configuration)
      let result = try Verification(
        of: model, against: state, tolerance: Verification.Tolerance(checkpoint.precision))
      #expect(result.failures == [] && result.rows.count == 18 && result.losses.count == 10)
      #expect(result.losses.allSatisfy { $0.expected == nil })
    }
  }

  /// A wrong formula is seen: the quintic GELU in place of GPT-2's.
  @Test func anotherActivationFails() throws {
    let tiny = ReferenceCase.tiny
    let checkpoint = try Checkpoint(path: tiny.model.path)
    let model = try Model(
      checkpoint: checkpoint, activation: .geluQuintic, context: ExecutionContext(threads: 1))
    let state = try DebugState(path: tiny.debugState.path, configuration: checkpoint.configuration)
    let result = try Verification(of: model, against: state, tolerance: Verification.Tolerance(.float32))
    #expect(result.failures.contains("logits") && result.failures.contains("dfcw"))
  }

  @Test func weightsThatAreNotNumbersFail() throws {
    let tiny = ReferenceCase.tiny
    let checkpoint = try Checkpoint(path: tiny.model.path)
    let model = try Model(checkpoint: checkpoint, context: ExecutionContext(threads: 1))
    model.parameters["fcb"]?[0] = .nan
    let state = try DebugState(path: tiny.debugState.path, configuration: checkpoint.configuration)
    let result = try Verification(of: model, against: state, tolerance: Verification.Tolerance(.float32))
    #expect(result.rows.allSatisfy { !$0.passes } && result.losses.map(\.passes) == [false])
  }
}

@Suite struct BuiltInTrainingTests {
  /// Weights drawn at random answer nothing; the count is of right answers only.
  @Test func aModelThatLearntNothingAnswersNothing() throws {
    let corpus = BuiltInCorpus(trainingLines: 0, validationLines: 0)
    let model = try Model(
      configuration: try BuiltInTraining.configuration(), context: ExecutionContext(threads: 2))
    model.initialize()
    #expect(try BuiltInTraining.rightAnswers(to: corpus.validationSums.prefix(50), by: model) == 0)
    #expect(try BuiltInTraining.rightAnswers(to: [], by: model) == 0)
  }

  /// A model trained on the lines of three sums alone knows them by heart: every right answer is counted. Four lines
  /// a sequence, so that each of the three comes first in turn.
  @Test func aModelThatLearntByHeartIsRight() throws {
    let corpus = BuiltInCorpus(trainingLines: 0, validationLines: 0)
    let sums = corpus.trainingSums.prefix(3)
    let line = sums.compactMap { BuiltInCorpus.encode($0.prompt + $0.answer) }.flatMap { $0 }
    let tokens = TokenFile(name: "three sums", tokens: Array(repeating: line, count: 20).flatMap { $0 })
    let configuration = try Configuration(
      maximumSequenceLength: 32, vocabularySize: BuiltInCorpus.vocabularySize, layers: 1, heads: 2,
      channels: 32)
    let model = try Model(configuration: configuration, context: ExecutionContext(threads: 2))
    model.initialize()
    let data = try DataLoader(
      files: [tokens], batchSize: 4, sequenceLength: 32, vocabularySize: BuiltInCorpus.vocabularySize)
    var options = TrainingOptions()
    options.steps = 150
    options.optimizer.learningRate = 1e-2
    options.sampleInterval = 0
    try Trainer(model: model, training: data, options: options).run { _ in }
    #expect(try BuiltInTraining.rightAnswers(to: sums, by: model) == 3)
  }
}
