import GPT2
import Operators
import TestSupport
import Testing

/// Every way to ask a model for what it cannot do is an error of one sentence, and leaves the model usable.
@Suite struct ModelErrorTests {
  private let reference = ReferenceCase.tiny

  /// A request of `forward`, and what it throws. `tiny` has a context of 16 and 29 tokens.
  struct Request: Sendable, CustomTestStringConvertible {
    var name: String
    var inputs = [Int32](repeating: 3, count: 6)
    var targets: [Int32]?
    var batchSize = 2
    var sequenceLength = 3
    var error: ModelError

    var testDescription: String { name }
  }

  static let six = [Int32](repeating: 3, count: 6)
  static func six(with token: Int32, at position: Int) -> [Int32] {
    var tokens = six
    tokens[position] = token
    return tokens
  }

  static let requests = [
    Request(name: "no batch", batchSize: 0, error: .notPositive(name: "batch size", size: 0)),
    Request(name: "a negative batch", batchSize: -2, error: .notPositive(name: "batch size", size: -2)),
    Request(name: "no position", sequenceLength: 0, error: .notPositive(name: "sequence length", size: 0)),
    Request(
      name: "negative positions", sequenceLength: .min,
      error: .notPositive(name: "sequence length", size: .min)),
    Request(
      name: "beyond the context", inputs: .init(repeating: 3, count: 17), batchSize: 1, sequenceLength: 17,
      error: .sequenceTooLong(sequenceLength: 17, maximum: 16)),
    Request(
      name: "too few inputs", inputs: .init(repeating: 3, count: 5),
      error: .wrongCount(name: "inputs", expected: 6, found: 5)),
    Request(name: "no inputs", inputs: [], error: .wrongCount(name: "inputs", expected: 6, found: 0)),
    Request(
      name: "more positions than an Int counts", inputs: [], batchSize: 1 << 62, sequenceLength: 4,
      error: .wrongCount(name: "inputs", expected: .max, found: 0)),
    Request(
      name: "too many targets", targets: .init(repeating: 3, count: 7),
      error: .wrongCount(name: "targets", expected: 6, found: 7)),
    Request(name: "empty targets", targets: [], error: .wrongCount(name: "targets", expected: 6, found: 0)),
    Request(
      name: "an input of V", inputs: six(with: 29, at: 4),
      error: .tokenOutsideVocabulary(name: "inputs", position: 4, token: 29, vocabularySize: 29)),
    Request(
      name: "a negative input", inputs: six(with: -1, at: 0),
      error: .tokenOutsideVocabulary(name: "inputs", position: 0, token: -1, vocabularySize: 29)),
    Request(
      name: "a target of V", targets: six(with: 29, at: 5),
      error: .tokenOutsideVocabulary(name: "targets", position: 5, token: 29, vocabularySize: 29)),
    Request(
      name: "a negative target", targets: six(with: .min, at: 2),
      error: .tokenOutsideVocabulary(name: "targets", position: 2, token: .min, vocabularySize: 29)),
  ]

  @Test(arguments: requests)
  func forwardRefuses(_ request: Request) throws {
    let model = try reference.model()
    let batch = try reference.testBatch()
    #expect(throws: request.error) { try request.forward(model) }
    #expect(model.activations == nil)
    try model.forward(batch)
    let (logits, loss) = (try model.logits(), model.meanLoss)

    // After a pass, a refused one changes nothing: the backward pass is that of the last good one.
    #expect(throws: request.error) { try request.forward(model) }
    #expect(firstDifference(try model.logits(), logits) == nil)
    #expect(model.meanLoss == loss)
    try model.backward()
    let expected = try reference.model().freshGradients(batch)
    #expect(firstDifference(try model.gradients().arrays, expected) == nil)
    #expect(isSentence(request.error))
  }

  @Test func lastTokenOfTheVocabularyIsInside() throws {
    let model = try reference.model()
    let tokens = Self.six(with: 28, at: 5)
    try model.forward(tokens, targets: tokens, batchSize: 2, sequenceLength: 3)
    #expect(model.meanLoss?.isFinite == true)
  }

  @Test func reservingForgetsThePassBefore() throws {
    let model = try reference.model()
    let batch = try reference.testBatch()
    try model.forward(batch)
    try model.reserve(batchSize: batch.batchSize + 1, sequenceLength: batch.sequenceLength)
    #expect(model.meanLoss == nil)
    #expect(throws: ModelError.noForwardPass) { try model.backward() }
    // Reserved memory is no gradient: nothing is updated before a backward pass.
    #expect(throws: ModelError.noGradients) { try model.update(AdamW(weightDecay: 0.1)) }
    #expect(model.updateCount == 0)
    try model.forward(batch)
    try model.backward()
    let expected = try reference.model().freshGradients(batch)
    #expect(firstDifference(try model.gradients().arrays, expected) == nil)
  }

  @Test func backwardNeedsANewForwardPassWithTargets() throws {
    let model = try reference.model()
    let batch = try reference.testBatch()
    #expect(throws: ModelError.noForwardPass) { try model.backward() }
    try model.forward(
      batch.inputs, batchSize: batch.batchSize, sequenceLength: batch.sequenceLength)
    #expect(model.meanLoss == nil)
    #expect(throws: ModelError.noForwardPass) { try model.backward() }
    try model.forward(batch)
    try model.backward()
    let gradients = try model.gradients().arrays
    #expect(throws: ModelError.noForwardPass) { try model.backward() }
    #expect(firstDifference(try model.gradients().arrays, gradients) == nil)

    // A pass without targets forgets those of the pass before.
    try model.forward(batch)
    try model.forward(
      batch.inputs, batchSize: batch.batchSize, sequenceLength: batch.sequenceLength)
    #expect(throws: ModelError.noForwardPass) { try model.backward() }
    #expect(isSentence(ModelError.noForwardPass))
  }

  @Test func updateNeedsGradients() throws {
    let model = try reference.model()
    let parameters = model.parameters.arrays
    #expect(throws: ModelError.noGradients) { try model.update(AdamW()) }
    try model.forward(try reference.testBatch())
    #expect(throws: ModelError.noGradients) { try model.update(AdamW(), clip: 1) }
    #expect(model.updateCount == 0)
    #expect(firstDifference(model.parameters.arrays, parameters) == nil)
    #expect(isSentence(ModelError.noGradients))
  }

  @Test(arguments: [Float.nan, .infinity, -.infinity], [0, 1.0])
  func updateRefusesGradientsThatAreNotFinite(_ value: Float, _ clip: Double) throws {
    let model = try reference.model()
    try model.train(try reference.testBatch(0), clip: clip)
    for name in ["wte", "fcprojw", "lnfb"] {
      _ = try model.freshGradients(try reference.testBatch(1))
      let tensor = try #require(try model.gradients()[name])
      tensor[tensor.count - 1] = value
      #expect {
        try model.update(AdamW(), clip: clip)
      } throws: { error in
        guard case .nonFiniteGradients = error as? ModelError else { return false }
        return isSentence(error)
      }
    }
  }

  /// Clipping looks at the norm first: nothing has changed when it throws.
  @Test func clippingRefusesBeforeItChangesParameters() throws {
    let model = try reference.model()
    let parameters = model.parameters.arrays
    _ = try model.freshGradients(try reference.testBatch())
    try #require(try model.gradients()["qkvw"])[7] = .nan
    #expect(throws: ModelError.nonFiniteGradients(step: 1)) { try model.update(AdamW(), clip: 1) }
    #expect(firstDifference(model.parameters.arrays, parameters) == nil)
  }

  /// A weight that is not finite reaches the loss and every update after it.
  @Test(arguments: ["wte", "wpe", "qkvw", "fcb", "lnfw"], [Float.nan, .infinity])
  func parametersThatAreNotFiniteStopTraining(_ name: String, _ value: Float) throws {
    let model = try reference.model()
    let batch = try reference.testBatch()
    // The first token's embedding, and position 0.
    let index = name == "wte" ? Int(batch.inputs[0]) * model.configuration.channels : 0
    try #require(model.parameters[name])[index] = value
    try model.forward(batch)
    #expect(try #require(model.meanLoss).isFinite == false)
    try model.backward()
    #expect(throws: ModelError.nonFiniteGradients(step: 1)) { try model.update(AdamW()) }
  }

  private func isSentence(_ error: any Error) -> Bool {
    let text = "\(error)"
    return text.hasSuffix(".") && !text.contains("\n") && text.split(separator: " ").count > 6
  }
}

extension ModelErrorTests.Request {
  fileprivate func forward(_ model: Model) throws(ModelError) {
    try model.forward(inputs, targets: targets, batchSize: batchSize, sequenceLength: sequenceLength)
  }
}
