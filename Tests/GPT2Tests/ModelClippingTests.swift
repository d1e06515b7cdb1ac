import GPT2
import Operators
import Reference
import TestSupport
import Testing

/// Clipping of the gradients' norm, and the norm that `update` returns.
@Suite struct ModelClippingTests {
  private let optimizer = AdamW(learningRate: 1e-2, weightDecay: 0.01)

  /// Squares are summed in float32 in blocks of 4096 elements and 16 lanes, 256 products a lane and four additions
  /// over lanes, then in float64; blocks of 65536 are rounded to float32 once. All terms are positive, so the sum is
  /// off by at most 261 of 2⁻²⁴ of itself, and its root by half of that.
  @Test(arguments: ReferenceCase.all, [0, 0.01])
  func normIsThatOfTheReference(_ reference: ReferenceCase, _ clip: Double) throws {
    let model = try reference.model()
    let gradients = try model.freshGradients(try reference.testBatch())
    let expected = ReferenceGradientNorm.norm(gradients.values.map { $0.map(Double.init) })
    let norm = try model.update(optimizer, clip: clip)
    #expect(expected > 0.1, "the gradients should be larger than what they are clipped to")
    #expect(abs(norm - expected) <= 131 * 0x1p-24 * expected)
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
      // Rounded element by element, then summed as above.
      #expect(abs(scaledNorm - clip) <= 263 * 0x1p-24 * clip)
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
