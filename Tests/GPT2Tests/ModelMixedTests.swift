import Foundation
import GPT2
import Machine
import Operators
import TestSupport
import Testing
import Tokens

/// Passes whose products multiply bfloat16: rule 5 of Documentation/numerical-rules.md.
@Suite struct ModelMixedTests {
  private let optimizer = AdamW(learningRate: 1e-2, weightDecay: 0.01)

  /// Sizes that no tile and no vector width divides, an odd number of tokens among them; more rows than one block of
  /// logits has, where `long`.
  private func model(_ context: ExecutionContext, precision: OperandPrecision = .bf16) throws -> Model {
    let model = try Model(
      configuration: Configuration(
        maximumSequenceLength: 75, vocabularySize: 131, paddedVocabularySize: 140, layers: 2, heads: 3,
        channels: 21), precision: precision, context: context)
    model.initialize(seed: 5)
    return model
  }

  private func batch(_ seed: UInt64, long: Bool = true) -> TestBatch {
    TestBatch(
      seed: seed, vocabulary: 131, batchSize: long ? 7 : 2, sequenceLength: long ? 75 : 9)
  }

  private func step(_ model: Model, _ batch: TestBatch) throws -> StepResult {
    try model.train(
      batch.inputs, targets: batch.targets, batchSize: batch.batchSize, sequenceLength: batch.sequenceLength,
      optimizer: optimizer)
  }

  private func trace(_ model: Model) throws -> [String: [Float]] {
    var trace: [String: [Float]] = [:]
    for index in 0..<2 {
      let batch = batch(UInt64(index), long: false)
      model.zeroGradients()
      let (loss, norm) = try model.train(batch, optimizer)
      trace["\(index) loss"] = [loss, Float(norm)]
      for (name, values) in try model.gradients().arrays { trace["\(index) gradient \(name)"] = values }
      trace["\(index) logits' gradient"] = try model.logits()
    }
    for (name, values) in model.parameters.arrays { trace["parameter \(name)"] = values }
    return trace
  }

  /// Every instruction set, the best one also with and without each of its units for bfloat16, and every number of
  /// threads.
  @Test(arguments: [OperandPrecision.bf16, .bf16AMX]) func theSameBitsEverywhere(
    _ precision: OperandPrecision
  ) throws {
    let expected = try trace(try model(ExecutionContext(threads: 1), precision: precision))
    try withEveryContext { context in
      let found = try trace(try model(context, precision: precision))
      #expect(firstDifference(found, expected) == nil, "\(context.instructionSet), \(context.threads)")
    }
    for unit in TileUnit.all(beside: .best) {
      let other = try ExecutionContext(
        threads: 2, instructionSet: .best, withMatrixUnit: false, tileUnit: unit)
      #expect(firstDifference(try trace(try model(other, precision: precision)), expected) == nil, "\(unit)")
    }
    for different in OperandPrecision.allCases where different != precision {
      let found = try trace(try model(ExecutionContext(threads: 1), precision: different))
      #expect(firstDifference(found, expected) != nil, "\(different) is another numerics")
    }
  }

  @Test(arguments: Recomputation.allCases, [OperandPrecision.bf16, .bf16AMX])
  func aStepIsTheFourCalls(_ recomputation: Recomputation, _ precision: OperandPrecision) throws {
    let (separate, whole) = (
      try model(ExecutionContext(threads: 1), precision: precision),
      try model(ExecutionContext(threads: 2), precision: precision)
    )
    whole.recomputation = recomputation
    for index in 0..<3 {
      let batch = batch(UInt64(index))
      separate.zeroGradients()
      let (loss, norm) = try separate.train(batch, optimizer)
      whole.zeroGradients()
      let result = try step(whole, batch)
      #expect(result.loss == loss && result.gradientNorm == norm)
      #expect(firstDifference(try whole.gradients().arrays, try separate.gradients().arrays) == nil)
      #expect(firstDifference(whole.parameters.arrays, separate.parameters.arrays) == nil)
    }
    #expect(try separate.paddingIsZero())
  }

  /// Updates that each next pass takes on its way, weights in bfloat16 behind them.
  @Test(arguments: [1, 2, 3])
  func dueUpdatesLayWeightsOut(_ threads: Int) throws {
    let (now, later) = (
      try model(ExecutionContext(threads: threads)), try model(.inDomains())
    )
    let training = try later.training()
    for index in 0..<4 {
      let batch = batch(UInt64(index))
      now.zeroGradients()
      let expected = try step(now, batch)
      training.gradients.zero()
      let result = try training.step(
        Batch(
          batch.inputs, targets: batch.targets, batchSize: batch.batchSize,
          sequenceLength: batch.sequenceLength, for: later.configuration),
        optimizer: optimizer, leavingUpdateDue: true, in: later.workspace)
      #expect(result == expected)
    }
    let batch = batch(9)
    func loss(_ model: Model) throws -> Float {
      try model.evaluate(
        batch.inputs, targets: batch.targets, batchSize: batch.batchSize,
        sequenceLength: batch.sequenceLength)
    }
    #expect(try loss(later) == loss(now))
    #expect(firstDifference(later.parameters.arrays, now.parameters.arrays) == nil)
  }

  /// A pass of many rows a thread rounds the masters as it goes, one of few multiplies what lies beside them: the same
  /// bits, whoever comes after whom, with updates on the way. Nothing lies there before somebody needs it.
  @Test(arguments: [OperandPrecision.bf16, .bf16AMX])
  func manyRowsNeedNoLaidOutWeights(_ precision: OperandPrecision) throws {
    let (rounding, layingOut) = (
      try model(ExecutionContext(threads: 1), precision: precision),
      try model(ExecutionContext(threads: 3), precision: precision)
    )
    #expect(rounding.precision == precision)
    for (index, count) in [14, 14, 2, 14, 2, 2, 14].enumerated() {
      let batch = TestBatch(
        seed: UInt64(index), vocabulary: 131, batchSize: count, sequenceLength: 75)
      let results = try [rounding, layingOut].map { model in
        let training = try model.training()
        training.gradients.zero()
        return try training.step(
          Batch(
            batch.inputs, targets: batch.targets, batchSize: count, sequenceLength: 75,
            for: model.configuration), optimizer: optimizer, leavingUpdateDue: true, in: model.workspace)
      }
      #expect(results[0] == results[1], "step \(index)")
      #expect((rounding.network.laidOutByteCount > 0) == (index >= 2))
      #expect(layingOut.network.laidOutByteCount > 0)
    }
    #expect(firstDifference(rounding.parameters.arrays, layingOut.parameters.arrays) == nil)
  }

  /// What a user writes to a parameter is multiplied by the next pass.
  @Test func writtenParametersAreFelt() throws {
    let written = try model(ExecutionContext(threads: 2))
    let batch = batch(1, long: false)
    try written.forward(batch)
    let other = try Model(
      configuration: written.configuration, precision: .bf16, context: ExecutionContext(threads: 1))
    for tensor in written.parameters.tensors {
      let values = tensor.array().map { $0 * 1.5 }
      tensor.copy(from: values)
      try #require(other.parameters[tensor.name]).copy(from: values)
    }
    try written.forward(batch)
    try other.forward(batch)
    #expect(firstDifference(try written.logits(), try other.logits()) == nil)
    let loss = try written.evaluate(
      batch.inputs, targets: batch.targets, batchSize: batch.batchSize, sequenceLength: batch.sequenceLength)
    #expect(loss == written.meanLoss)
  }

  /// Samples are those of passes over the whole text in the same precision, and leave training's bits alone.
  @Test(arguments: [OperandPrecision.bf16, .bf16AMX]) func samplesAreOfTheSamePrecision(
    _ precision: OperandPrecision
  ) throws {
    let mixed = try model(ExecutionContext(threads: 2), precision: precision)
    var generators = (XorshiftGenerator(seed: 3), XorshiftGenerator(seed: 3))
    let found = try mixed.sample(after: [1, 2, 3], length: 80, generator: &generators.0)
    let plain = try model(ExecutionContext(threads: 1), precision: precision)
    var tokens: [Int32] = [1, 2, 3]
    while tokens.count < 80 {
      let window = Array(tokens.suffix(75))
      try plain.forward(window, batchSize: 1, sequenceLength: window.count)
      let logits = Array(try plain.logits().suffix(131))
      tokens.append(Int32(Sampler.sample(logits.span, coin: generators.1.nextFloat())))
    }
    #expect(found == tokens)
    let untouched = try model(ExecutionContext(threads: 2), precision: precision)
    #expect(try step(mixed, batch(2)) == step(untouched, batch(2)))
  }

  /// Where training's passes need no laid-out weights, its samples have none either; they are the same.
  @Test func samplesTakeNoMemoryThatTrainingDoesNot() throws {
    let (rounding, layingOut) = (
      try model(ExecutionContext(threads: 1)), try model(ExecutionContext(threads: 3))
    )
    let samples = try [rounding, layingOut].map { model in
      try model.reserve(batchSize: 14, sequenceLength: 75)
      var generator = XorshiftGenerator(seed: 3)
      return try model.sample(after: [1, 2, 3], length: 80, generator: &generator)
    }
    #expect(samples[0] == samples[1])
    #expect(rounding.network.laidOutByteCount == 0 && layingOut.network.laidOutByteCount > 0)
  }

  /// Weights are laid out for the passes that there are: forward ones alone, then those back, with the same bits.
  @Test func forwardPassesLayOutHalf() throws {
    let (later, now) = (
      try model(ExecutionContext(threads: 2)), try model(ExecutionContext(threads: 2))
    )
    let batch = batch(3, long: false)
    _ = try later.evaluate(
      batch.inputs, targets: batch.targets, batchSize: batch.batchSize, sequenceLength: batch.sequenceLength)
    _ = try Decoder(later.network).prefill([1, 2])
    let panels = later.network.laidOutTensors
    // Four matrices in each of two layers, and the head's; panels of 48 columns, pairs of 21 or 84 rows.
    let sizes = [(63, 22), (21, 22), (84, 22), (21, 84)]
    let count = 2 * sizes.reduce(0) { $0 + ($1.0 + 47) / 48 * 48 * $1.1 } + (131 + 47) / 48 * 48 * 22
    #expect(panels.reduce(0) { $0 + $1.count } == count)
    #expect(try step(later, batch) == step(now, batch))
    #expect(later.network.laidOutTensors.count == 2 * panels.count)
    #expect(try step(later, batch) == step(now, batch))
    #expect(firstDifference(later.parameters.arrays, now.parameters.arrays) == nil)
  }

  // MARK: - Against float64

  /// What PyTorch's autocast to bfloat16 is off by.
  private struct Autocast: Decodable {
    let maxError: [String: Double]
    let lossesMaxError: Double

    init(_ reference: ReferenceCase) throws {
      let data = try Data(contentsOf: reference.directory.appending(path: "bf16.json"))
      let decoder = JSONDecoder()
      decoder.keyDecodingStrategy = .convertFromSnakeCase
      self = try decoder.decode(Autocast.self, from: data)
    }
  }

  /// No farther from float64 than autocast by more than a quarter; of a loss, which is one number, by more than the
  /// largest error of ten.
  @Test(arguments: ReferenceCase.shared, [OperandPrecision.bf16, .bf16AMX])
  func errorsAreAutocasts(_ reference: ReferenceCase, _ precision: OperandPrecision) throws {
    let (autocast, expected) = (try Autocast(reference), try reference.expected())
    let model = try Model(
      checkpoint: Checkpoint(path: reference.model.path), precision: precision,
      context: ExecutionContext(threads: 2))
    try model.forward(try reference.testBatch())
    func check(_ actual: [Float], _ name: String, within tolerance: Double) throws {
      let difference = try maximumDifference(
        actual, Array(try expected.values(name).prefix(actual.count)))
      #expect(difference.magnitude <= tolerance, "\(name): \(difference), allowed \(tolerance)")
    }
    try check([try #require(model.meanLoss)], "loss", within: 2 * autocast.lossesMaxError)
    try check(
      try model.logits(), "logits", within: 1.25 * (try #require(autocast.maxError["logits"])))
    try model.backward()
    for tensor in try model.gradients().tensors {
      let name = "grad." + tensor.name
      let values = Array(tensor.array().prefix(try expected.values(name).count))
      try check(values, name, within: 1.25 * (try #require(autocast.maxError[name])))
    }
    let trained = try Model(
      checkpoint: Checkpoint(path: reference.model.path), precision: precision,
      context: ExecutionContext(threads: 2))
    let adamW = AdamW(learningRate: 1e-4, weightDecay: 0.01)
    let losses = try (0..<reference.steps).map {
      try trained.train(try reference.testBatch($0), adamW).loss
    }
    try check(losses, "losses", within: 2 * autocast.lossesMaxError)
  }
}
