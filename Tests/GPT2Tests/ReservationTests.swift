import GPT2
import Machine
import Operators
import TestSupport
import Testing
import Tokens

/// What a run takes before its first step is all that it ever takes.
@Suite struct ReservationTests {
  private static let tiny = ReferenceCase.tiny

  private func model() throws -> Model {
    try Model(checkpoint: Checkpoint(path: Self.tiny.model.path), context: ExecutionContext(threads: 2))
  }

  private func loader(sequenceLength: Int) throws -> DataLoader {
    try DataLoader(
      paths: [Self.tiny.tokensInt32.path], batchSize: 1, sequenceLength: sequenceLength,
      vocabularySize: Self.tiny.vocabulary)
  }

  /// Bytes of both workspaces and of the operators' scratch.
  private func memory(of model: Model) -> [Int] {
    [model.workspace.byteCount, model.inference.byteCount, model.context.scratchByteCount]
  }

  /// Samples longer than the training's sequences and, in the last case, than the context.
  @Test(arguments: Recomputation.allCases, [1, 5, 16, 20])
  func aRunTakesNoMemoryAfterItsBeginning(_ recomputation: Recomputation, sampleLength: Int) throws {
    let model = try model()
    model.recomputation = recomputation
    var options = TrainingOptions()
    options.steps = 3
    options.validationInterval = 1
    options.validationBatches = 2
    options.sampleInterval = 1
    options.sampleLength = sampleLength
    let trainer = try Trainer(
      model: model, training: try loader(sequenceLength: 3), validation: try loader(sequenceLength: 3),
      options: options)
    let before = memory(of: model)
    try trainer.run { _ in #expect(memory(of: model) == before) }
    #expect(memory(of: model) == before)
  }

  /// Samples are paid for where there are any, and only as long as they are.
  @Test func memoryIsForTheSamplesThatThereAre() throws {
    let bytes = try [0, 8, 16, .max].map { length in
      let model = try model()
      try model.reserve(batchSize: 1, sequenceLength: 3, sampleLength: length)
      return model.inference.byteCount
    }
    #expect(bytes[0] < bytes[1] && bytes[1] < bytes[2] && bytes[2] == bytes[3], "\(bytes)")
  }

  @Test func answersToTheBuiltInSumsAreReserved() throws {
    let model = try Model(
      configuration: BuiltInTraining.configuration(), context: ExecutionContext(threads: 2))
    try model.reserve(batchSize: 1, sequenceLength: 1, sampleLength: 0)
    let sums = BuiltInCorpus().validationSums.prefix(50)
    try BuiltInTraining.reserve(forAnswersTo: sums.count, of: model)
    let before = memory(of: model)
    _ = try BuiltInTraining.rightAnswers(to: sums, by: model)
    #expect(memory(of: model) == before)
  }

  /// What has not been written yet is laid out without a write; what has been is cleaned where the padding of logits
  /// now lies.
  @Test func thePaddingIsZeroAfterEveryLayout() throws {
    let model = try model()
    let tokens = [Int32](repeating: 1, count: 32)
    for (batchSize, length) in [(2, 16), (1, 5), (2, 7), (1, 16)] {
      let count = batchSize * length
      try model.forward(
        Array(tokens[..<count]), targets: Array(tokens[..<count]), batchSize: batchSize,
        sequenceLength: length)
      let (used, padded) = (model.configuration.vocabularySize, model.configuration.paddedVocabularySize)
      let logits = try #require(model.activations?["logits"]).array()
      #expect(logits.indices.allSatisfy { $0 % padded < used || logits[$0] == 0 }, "\(batchSize) × \(length)")
    }
  }
}
