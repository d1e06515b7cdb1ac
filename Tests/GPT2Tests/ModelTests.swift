import Foundation
import GPT2
import Operators
import TestSupport
import Testing

/// The model against float64, on every instruction set: rule 3 of Documentation/numerical-rules.md.
///
/// The bound of each tensor is 4 × max(the error of PyTorch's float32, 2⁻²⁴ × the tensor's largest magnitude); the
/// cases bring all three. Two correct float32 engines differ by the order of their sums, and such errors are much
/// alike in size: four times the other's is room for that, and far below what a wrong formula gives.
@Suite struct ModelTests {
  private static let formats: [@Sendable (ReferenceCase) -> URL] = [{ $0.model }, { $0.modelVersion1 }]

  @Test(arguments: ReferenceCase.all, InstructionSet.available)
  func firstBatch(_ reference: ReferenceCase, _ instructionSet: InstructionSet) throws {
    let expected = try reference.expected()
    for format in Self.formats {
      let model = try reference.model(format, instructionSet: instructionSet)
      try model.forward(try reference.testBatch())
      try check(try model.logits(), expected, "logits")
      try check([try #require(model.meanLoss)], expected, "loss")
      let losses = try model.activation("losses").array().map(Double.init)
      try check([losses.reduce(0, +) / Double(losses.count)], expected, "loss")
      try model.backward()
      let gradients = try model.gradients()
      #expect(gradients.tensors.count == 16)
      for tensor in gradients.tensors {
        // The file's gradient of wte has V rows.
        let real = try expected.values("grad." + tensor.name).count
        try check(Array(tensor.array().prefix(real)), expected, "grad." + tensor.name)
      }
      #expect(try model.paddingIsZero())
    }
  }

  /// Ten steps of AdamW over successive batches, each loss taken before its update.
  @Test(arguments: ReferenceCase.all, InstructionSet.available)
  func lossesOfTraining(_ reference: ReferenceCase, _ instructionSet: InstructionSet) throws {
    let expected = try reference.expected()
    let optimizer = AdamW(learningRate: 1e-4, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.01)
    try #require(reference.steps == 10)
    // Portable kernels call a function for every fused multiply-add: where a step takes them a second, the first two
    // losses of one format will do. `ModelBitsTests` shows that they compute what the others do.
    let slow = instructionSet == .portable && reference.sequenceLength > 20
    let steps = slow ? 2 : reference.steps
    for format in Self.formats.prefix(slow ? 1 : 2) {
      let model = try reference.model(format, instructionSet: instructionSet)
      let losses = try (0..<steps).map { step in
        try model.train(try reference.testBatch(step), optimizer).loss
      }
      #expect(model.updateCount == steps)
      try check(losses, expected, "losses", count: steps)
    }
  }

  /// The weights are rounded to bfloat16 in the file, which float32 holds exactly; what is computed from them is as
  /// precise as ever, so the bound is that of the float32 weights.
  @Test(arguments: ReferenceCase.all, InstructionSet.available)
  func weightsOfBFloat16(_ reference: ReferenceCase, _ instructionSet: InstructionSet) throws {
    let expected = try reference.expected()
    let model = try reference.model({ $0.modelBFloat16 }, instructionSet: instructionSet)
    try model.forward(try reference.testBatch())
    try check(try model.logits(), expected, "bf16_weights.logits", as: "logits")
    try check([try #require(model.meanLoss)], expected, "bf16_weights.loss", as: "loss")
  }

  /// Compares with the tensor of that name, or with its first `count` values, within the bound of the tensor `bound`.
  private func check<Scalar: BinaryFloatingPoint>(
    _ actual: [Scalar], _ expected: Safetensors, _ name: String, count: Int = .max, as bound: String? = nil
  ) throws {
    let tolerance = try expected.float32Tolerance(bound ?? name)
    let difference = try maximumDifference(actual, Array(try expected.values(name).prefix(count)))
    #expect(difference.magnitude <= tolerance, "\(name): \(difference), allowed \(tolerance)")
  }
}
