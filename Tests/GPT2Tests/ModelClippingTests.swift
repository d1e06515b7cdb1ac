import GPT2
import Operators
import Reference
import TestSupport
import Testing

/// Clipping of the gradients' norm, and the norm that `update` returns.
@Suite struct ModelClippingTests {
  private let optimizer = AdamW(learningRate: 1e-2, weightDecay: 0.01)

  /// How far the norm may be off, as a part of itself.
  ///
  /// Squares are summed in float32 along rows of C, in 16 lanes: C/16 products a lane and four additions over lanes, at
  /// most so many roundings of each square; rows are added in float64. All terms are positive, so the sum is off by as
  /// much, and its root by half of that; what the halves leave of higher orders is less than what float64 rounds.
  private func normError(_ configuration: Configuration) -> Double {
    let roundings = (configuration.channels + 15) / 16 + 4
    let rows = configuration.parameterCount / configuration.channels
    return Double(roundings) / 2 * 0x1p-24 + Double(rows) * 0x1p-53
  }

  @Test(arguments: ReferenceCase.all, [0, 0.01])
  func normIsThatOfTheReference(_ reference: ReferenceCase, _ clip: Double) throws {
    let model = try reference.model()
    let gradients = try model.freshGradients(try reference.testBatch())
    let expected = ReferenceGradientNorm.norm(gradients.values.map { $0.map(Double.init) })
    let norm = try model.update(optimizer, clip: clip)
    #expect(expected > 0.1, "the gradients should be larger than what they are clipped to")
    #expect(abs(norm - expected) <= normError(model.configuration) * expected)
  }

  /// Gradients that the user has scaled by clip / norm give the same bits.
  @Test func largerGradientsAreScaledDown() throws {
    let reference = ReferenceCase.tiny
    let (clipped, scaled) = (try reference.model(), try reference.model())
    for step in 0..<3 {
      let batch = try reference.testBatch(step)
      _ = try scaled.freshGradients(batch)
      let norm = try scaled.gradientNorm()
      // Just below the norm, and far below it.
      let clip = [0.999, 0.5, 0.001][step] * norm
      #expect(try clipped.train(batch, optimizer, clip: clip).norm == norm)
      for tensor in try scaled.gradients().tensors {
        tensor.copy(from: tensor.array().map { $0 * Float(clip / norm) })
      }
      let scaledNorm = try scaled.update(optimizer)
      // Both norms are off by as much, the factor and each product by a rounding.
      #expect(abs(scaledNorm - clip) <= 2 * (normError(scaled.configuration) + 0x1p-24) * clip)
      #expect(firstDifference(scaled.parameters.arrays, clipped.parameters.arrays) == nil)
    }
  }

  @Test func smallerGradientsStayAsTheyAre() throws {
    let reference = ReferenceCase.tiny
    let (clipped, plain) = (try reference.model(), try reference.model())
    let batch = try reference.testBatch()
    let norm = try plain.train(batch, optimizer).norm
    #expect(try clipped.train(batch, optimizer, clip: 2 * norm).norm == norm)
    #expect(firstDifference(clipped.parameters.arrays, plain.parameters.arrays) == nil)

    // A clip below the norm does change them: the comparison sees it.
    let other = try reference.model()
    try other.train(batch, AdamW(learningRate: 1e-2, epsilon: 1, weightDecay: 0.01), clip: norm / 2)
    #expect(firstDifference(other.parameters.arrays, plain.parameters.arrays) != nil)
  }
}
