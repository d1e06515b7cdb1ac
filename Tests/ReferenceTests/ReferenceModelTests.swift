import Reference
import TestSupport
import Testing

@Suite struct ReferenceModelTests {
  static let configuration = ReferenceConfiguration(
    maximumSequenceLength: 5, vocabulary: 7, paddedVocabulary: 8, layers: 2, heads: 2, channels: 4)
  static let inputs: [Int32] = [1, 3, 3, 0, 6, 2, 5, 3]
  static let targets: [Int32] = [3, 3, 0, 6, 2, 5, 3, 1]

  /// A model whose padded embedding is zero, as a checkpoint's is.
  static func model(_ activation: ReferenceGELU) -> ReferenceModel<Double> {
    var random = TestRandom(seed: 21)
    var parameters: [String: [Double]] = [:]
    for (name, shape) in configuration.tensors {
      let isScale = ["ln1w", "ln2w", "lnfw"].contains(name)
      parameters[name] = random.normal(shape.reduce(1, *), deviation: 0.5, mean: isScale ? 1 : 0)
    }
    parameters["wte"]?.replaceSubrange(28..<32, with: [0, 0, 0, 0])
    return ReferenceModel(configuration: configuration, parameters: parameters, activation: activation)
  }

  @Test(arguments: ReferenceGELU.allCases, [0, UInt32.max / 4])
  func gradients(activation: ReferenceGELU, dropped: UInt32) throws {
    var model = Self.model(activation)
    // A pass that leaves three channels of each embedding at least: norms of fewer bend more than the tolerance allows.
    if dropped > 0 { model.dropout = ReferenceDropout(threshold: dropped, seed: 3, pass: 0) }
    _ = model.forward(Self.inputs, targets: Self.targets, batchSize: 2, sequenceLength: 4)
    model.backward()
    for (name, _) in Self.configuration.tensors {
      let gradient = try #require(model.gradients[name])
      let point = try #require(model.parameters[name])
      func loss(_ values: [Double]) -> Double {
        var moved = model
        moved.parameters[name] = values
        return moved.forward(Self.inputs, targets: Self.targets, batchSize: 2, sequenceLength: 4).loss
      }
      try expectGradient(gradient, of: loss, at: point, "\(name)")
    }
    let norm = model.gradients.values.reduce(0) { $0 + dot($1, $1) }.squareRoot()
    #expect(abs(model.gradientNorm - norm) <= norm * 1e-14)
  }

  /// Each place drops by itself: with all of it gone there, the loss is another one.
  @Test func everyPlaceDrops() {
    let dropout = ReferenceDropout(threshold: .max / 2, seed: 3, pass: 1)
    func masks(_ change: (inout ReferenceBlockMasks<Double>) -> Void) -> ReferenceBlockMasks<Double> {
      var masks = ReferenceBlockMasks<Double>(
        dropout, layer: 0, batchSize: 2, sequenceLength: 4, Self.configuration)
      masks.attention = masks.attention.map { _ in 1 }
      masks.attentionProjection = masks.attentionProjection.map { _ in 1 }
      masks.feedForwardProjection = masks.feedForwardProjection.map { _ in 1 }
      change(&masks)
      return masks
    }
    let block = ReferenceBlock(
      parameters: Self.model(.tanh).parameters.mapValues { Array($0.prefix($0.count / 2)) },
      configuration: Self.configuration)
    var random = TestRandom(seed: 8)
    let input: [Double] = random.normal(2 * 4 * Self.configuration.channels)
    let outputs = [
      masks { _ in }, masks { $0.attention = $0.attention.map { _ in 0 } },
      masks { $0.attentionProjection = $0.attentionProjection.map { _ in 0 } },
      masks { $0.feedForwardProjection = $0.feedForwardProjection.map { _ in 0 } },
    ].map { block.forward(input, batchSize: 2, sequenceLength: 4, masks: $0).output }
    #expect(Set(outputs).count == 4)
    #expect(outputs[0] == block.forward(input, batchSize: 2, sequenceLength: 4).output)
  }

  @Test func gradientsAccumulateUntilZeroed() throws {
    var model = Self.model(.tanh)
    _ = model.forward(Self.inputs, targets: Self.targets, batchSize: 2, sequenceLength: 4)
    model.backward()
    let once = model.gradients
    model.backward()
    for (name, gradient) in model.gradients {
      let first = try #require(once[name])
      // Twice the same sum, added to itself in another order: only rounding may differ.
      let difference = try maximumDifference(gradient, first.map { 2 * $0 })
      #expect(difference.magnitude <= 1e-14, "\(name): \(difference)")
    }
    model.zeroGradients()
    #expect(model.gradients.values.allSatisfy { $0.allSatisfy { $0 == 0 } })
  }

  @Test func futureTokensDoNotMatter() {
    var model = Self.model(.tanh)
    let vocabulary = Self.configuration.vocabulary
    let tokens = Array(Self.inputs.prefix(4))
    let before = model.forward(tokens, targets: tokens, batchSize: 1, sequenceLength: 4).logits
    let other = tokens.prefix(3) + [5]
    let after = model.forward(Array(other), targets: tokens, batchSize: 1, sequenceLength: 4).logits
    #expect(before.prefix(3 * vocabulary) == after.prefix(3 * vocabulary))
    #expect(before.suffix(vocabulary) != after.suffix(vocabulary))
  }

  @Test func floatFollowsDouble() throws {
    let checked = ReferenceCase.tiny
    var single = try checked.referenceModel(Float.self)
    let (inputs, targets) = try checked.batch()
    let logits = single.forward(
      inputs, targets: targets, batchSize: checked.batchSize, sequenceLength: checked.sequenceLength
    ).logits
    let expected = try checked.expected()
    let difference = try maximumDifference(logits, try expected.values("logits"))
    #expect(difference.magnitude <= (try expected.float32Tolerance("logits")), "\(difference)")
  }
}
