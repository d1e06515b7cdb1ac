import GPT2
import Operators
import Reference
import TestSupport
import Testing

/// The scores and weights of attention that a model keeps when asked to.
@Suite struct ModelAttentionTests {
  /// Each layer's, against Double from the same queries and keys.
  ///
  /// A score is a chain of hs fused multiply-adds, scaled: |error| ≤ (hs + 3)·ε·Σ|q·k|/√hs, ε = 2⁻²⁴. With e the
  /// largest such error, a weight w = exp(s − max)/Σ is off by a factor of at most exp(2·(e + ε·|s − max|)), of the
  /// exponential twice (4 ε each), of the sum of T terms (T·ε) and of three more roundings.
  @Test(arguments: ReferenceCase.all, InstructionSet.available)
  func scoresAndWeightsAreThoseOfTheReference(
    _ reference: ReferenceCase, _ instructionSet: InstructionSet
  ) throws {
    let model = try reference.model(instructionSet: instructionSet)
    model.keepsAttention = true
    try model.forward(try reference.testBatch())
    let (length, heads) = (reference.sequenceLength, reference.heads)
    let count = reference.batchSize * heads * length * length
    let headSize = reference.channels / heads
    for layer in 0..<reference.layers {
      let qkv = try model.activation("qkv").array().map(Double.init)
      let part = qkv.count / reference.layers
      let sizes = (reference.batchSize, length, reference.channels)
      func expected(_ values: [Double]) -> ReferenceAttention.Output<Double> {
        ReferenceAttention.forward(
          values, batchSize: sizes.0, sequenceLength: sizes.1, channels: sizes.2, heads: heads)
      }
      let input = Array(qkv[layer * part..<(layer + 1) * part])
      let exact = expected(input)
      // Of |q| and |k|, the scores are Σ|q·k|/√hs.
      let magnitudes = expected(input.map(abs)).preattention
      let scoreError = Double(headSize + 3) * 0x1p-24 * (magnitudes.max() ?? 0)
      let range = layer * count..<(layer + 1) * count
      let scores = Array(try model.activation("preatt").array()[range])
      let weights = Array(try model.activation("att").array()[range])
      let scoreDifference = try maximumDifference(scores, exact.preattention)
      #expect(scoreDifference.magnitude <= scoreError, "preatt of layer \(layer): \(scoreDifference)")
      let spread = 2 * (exact.preattention.map(abs).max() ?? 0)
      let weightError = 2 * (scoreError + 0x1p-24 * spread) + Double(8 + length + 3) * 0x1p-24
      let weightDifference = try maximumDifference(weights, exact.attention)
      #expect(weightDifference.magnitude <= 1.01 * weightError, "att of layer \(layer): \(weightDifference)")
      print("MARGIN", reference.name, "preatt", scoreDifference.magnitude / scoreError)
      print("MARGIN", reference.name, "att", weightDifference.magnitude / weightError)
      for row in 0..<count / length {
        let values = weights[row * length..<(row + 1) * length]
        // Positions after the row's own carry nothing, in scores and weights.
        let later = row * length + row % length + 1..<(row + 1) * length
        #expect(weights[later].allSatisfy { $0 == 0 } && scores[later].allSatisfy { $0 == 0 })
        #expect(weights[row * length..<later.lowerBound].allSatisfy { $0 > 0 })
        // Each weight has three roundings after the exponential, and the sum of T exponentials T of them.
        let sum = values.reduce(0.0) { $0 + Double($1) }
        #expect(abs(sum - 1) <= Double(length + 3) * 0x1p-24)
      }
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
