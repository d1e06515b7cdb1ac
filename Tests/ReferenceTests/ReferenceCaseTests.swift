import Foundation
import Reference
import TestSupport
import Testing

/// `ReferenceModel<Double>` against values that were computed in float64 by other programs.
///
/// Logits and gradients are stored as float32: rounding leaves |error| ≤ 2⁻²⁴·|value|. Double's own noise, sums
/// of some thousand terms in another order, stays below 1e-13 of the tensor's largest magnitude; so do the
/// losses, which are stored as float64. AdamW magnifies a gradient's noise δ by at most lr/ε = 1e4, where the
/// gradient itself vanishes; with δ ≲ 1e-16 a weight moves by 1e-12 a step, and ten steps leave the losses of
/// training within 1e-11.
@Suite struct ReferenceCaseTests {
  @Test func tinyIsThere() {
    #expect(ReferenceCase.all.first?.name == "tiny")
  }

  @Test(arguments: [ReferenceCase.tiny]) func tiny(_ reference: ReferenceCase) throws { try check(reference) }

  @Test(
    .enabled(if: !ReferenceCase.shared.isEmpty, "the shared reference cases are not beside the package"),
    arguments: ReferenceCase.shared)
  func shared(_ reference: ReferenceCase) throws { try check(reference) }

  private func check(_ reference: ReferenceCase) throws {
    let expected = try reference.expected()
    var model = try reference.referenceModel(Double.self)
    let tensors = model.configuration.tensors
    var losses: [Double] = []
    for step in 0..<reference.steps {
      let (inputs, targets) = try reference.batch(step)
      let (logits, loss) = model.forward(
        inputs, targets: targets, batchSize: reference.batchSize, sequenceLength: reference.sequenceLength)
      losses.append(loss)
      model.zeroGradients()
      model.backward()
      if step == 0 {
        try compare(logits, expected, "logits")
        #expect(abs(loss - (try expected.scalar("loss"))) <= 1e-13 * loss)
        for (name, _) in tensors {
          // The stored gradient of wte has V rows; ours has Vp, of which the padded ones are zero.
          let gradient = try #require(model.gradients[name])
          let count = try expected.values("grad." + name).count
          try compare(Array(gradient.prefix(count)), expected, "grad." + name)
          #expect(gradient.dropFirst(count).allSatisfy { $0 == 0 })
        }
      }
      model.update(ReferenceAdamW(weightDecay: 0.01))
    }
    let difference = try maximumDifference(losses, try expected.values("losses"))
    #expect(difference.magnitude <= 1e-11, "losses: \(difference)")
  }

  private func compare(_ actual: [Double], _ expected: Safetensors, _ name: String) throws {
    let stored = try expected.values(name)
    let largest = stored.reduce(0) { max($0, abs($1)) }
    try #require(actual.count == stored.count && largest > 0)
    for (index, (a, e)) in zip(actual, stored).enumerated() {
      let bound = 0x1p-24 * abs(e) + 1e-13 * largest
      guard abs(a - e) <= bound else {
        Issue.record("\(name)[\(index)]: expected \(e) within \(bound), found \(a)")
        return
      }
    }
  }
}
