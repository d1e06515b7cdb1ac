import GPT2
import Operators
import Reference
import TestSupport
import Testing

/// The scores and weights of attention that a model keeps when asked to.
@Suite struct ModelAttentionTests {
  /// Each layer's, against Double from the same queries and keys.
  @Test(arguments: ReferenceCase.all, InstructionSet.available)
  func scoresAndWeightsAreThoseOfTheReference(
    _ reference: ReferenceCase, _ instructionSet: InstructionSet
  ) throws {
    let model = try reference.model(instructionSet: instructionSet)
    model.keepsAttention = true
    try model.forward(try reference.testBatch())
    for layer in 0..<reference.layers {
      func part(_ name: String) throws -> [Float] {
        let all = try model.activation(name).array()
        let count = all.count / reference.layers
        return Array(all[layer * count..<(layer + 1) * count])
      }
      let (scores, weights) = (try part("preatt"), try part("att"))
      try compare(scores, weights, qkv: try part("qkv").map(Double.init), reference)
      checkRows(scores, weights, length: reference.sequenceLength)
    }
  }

  /// A score is a chain of hs fused multiply-adds, scaled: |error| ≤ (hs + 3)·ε·Σ|q·k|/√hs, ε = 2⁻²⁴. With e the
  /// largest such error, a weight w = exp(s − max)/Σ is off by a factor of at most exp(2·(e + ε·|s − max|)), of the
  /// exponential twice (4 ε each), of the sum of T terms (T·ε) and of three more roundings.
  private func compare(
    _ scores: [Float], _ weights: [Float], qkv: [Double], _ reference: ReferenceCase
  ) throws {
    func attention(_ qkv: [Double]) -> ReferenceAttention.Output<Double> {
      ReferenceAttention.forward(
        qkv, batchSize: reference.batchSize, sequenceLength: reference.sequenceLength,
        channels: reference.channels, heads: reference.heads)
    }
    let expected = attention(qkv)
    // Of |q| and |k|, the scores are Σ|q·k|/√hs.
    let magnitude = attention(qkv.map(abs)).preattention.max() ?? 0
    let scoreError = Double(reference.channels / reference.heads + 3) * 0x1p-24 * magnitude
    let scoreDifference = try maximumDifference(scores, expected.preattention)
    #expect(scoreDifference.magnitude <= scoreError, "preatt: \(scoreDifference)")

    let spread = 2 * (expected.preattention.map(abs).max() ?? 0)
    let roundings = Double(8 + reference.sequenceLength + 3) * 0x1p-24
    // exp(x) − 1 ≤ 1.01·x for the small x here.
    let weightError = 1.01 * (2 * (scoreError + 0x1p-24 * spread) + roundings)
    let weightDifference = try maximumDifference(weights, expected.attention)
    #expect(weightDifference.magnitude <= weightError, "att: \(weightDifference)")
  }

  /// Weights sum to one up to a row's own position, and nothing is after it. Each weight has three roundings after
  /// the exponential, and the sum of T exponentials has T of them.
  private func checkRows(_ scores: [Float], _ weights: [Float], length: Int) {
    for row in 0..<weights.count / length {
      let own = row * length + row % length
      let (seen, later) = (row * length...own, own + 1..<(row + 1) * length)
      #expect(weights[seen].allSatisfy { $0 > 0 })
      #expect(weights[later].allSatisfy { $0 == 0 } && scores[later].allSatisfy { $0 == 0 })
      let sum = weights[seen].reduce(0.0) { $0 + Double($1) }
      #expect(abs(sum - 1) <= Double(length + 3) * 0x1p-24)
    }
  }

  @Test(arguments: ReferenceCase.all)
  func keepingChangesNoBit(_ reference: ReferenceCase) throws {
    let (keeping, plain) = (try reference.model(), try reference.model())
    keeping.keepsAttention = true
    for step in 0..<2 {
      let batch = try reference.testBatch(step)
      #expect(try keeping.train(batch).loss == (try plain.train(batch).loss))
      #expect(firstDifference(keeping.parameters.arrays, plain.parameters.arrays) == nil)
      try keeping.forward(batch)
      try plain.forward(batch)
      #expect(firstDifference(try keeping.logits(), try plain.logits()) == nil)
    }
  }

  /// The option may change between passes of the same size.
  @Test func keepingCanBeTurnedOnAndOff() throws {
    let reference = ReferenceCase.tiny
    let model = try reference.model()
    let batch = try reference.testBatch()
    try model.forward(batch)
    let logits = try model.logits()
    #expect(model.activations?["att"] == nil)
    model.keepsAttention = true
    try model.forward(batch)
    #expect(firstDifference(try model.logits(), logits) == nil)
    let weights = try model.activation("att")
    #expect(weights[0] == 1, "the first position sees itself alone")
    try model.backward()
    model.keepsAttention = false
    try model.forward(batch)
    #expect(firstDifference(try model.logits(), logits) == nil)
    #expect(model.activations?["preatt"] == nil)
  }
}
