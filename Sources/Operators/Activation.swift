import Machine

/// The non-linearity between the two layers of the feed-forward block.
public enum Activation: String, CaseIterable, Sendable {
  /// ½x·(1 + tanh(√(2/π)·(x + 0.044715x³))): GPT-2's.
  case gelu
  /// x·Φ(x) = ½x·(1 + erf(x/√2)), which tanh approximates: what Hugging Face calls "gelu".
  case geluErf = "gelu-erf"
  /// x·(½ + 0.35849124x + 0.05037353x³ + 0.00625x⁵): departs from GPT-2 beyond |x| ≈ ½.
  case geluQuintic = "gelu-quintic"

  /// y = activation(x), element by element; the derivative is applied by the product before it (`Epilogue.slope`).
  ///
  /// - Parameters:
  ///   - x: (count).
  ///   - y: (count), overwritten. Both are float32, and y may be x; or x is float16 and y bfloat16, rounded as
  ///     `OperandLayout` does.
  /// - Accuracy: a few ulp of |y| where x > −1; towards the negative tail, where y → 0, 6ε·2|u| of |y| more with tanh and
  ///   ε·x²/2 with erf.
  ///   `ActivationTests` derives and enforces the bound.
  /// - Complexity: ≈ 30 FLOP and 8 bytes an element, 4 between halves.
  /// - SeeAlso: Hendrycks, Gimpel 2016, arXiv:1606.08415.
  public func forward(_ x: Tensor, y: Tensor, context: ExecutionContext) {
    let count = x.count
    precondition(y.count == count, "\(count) elements of x, \(y.count) of y")
    context.perform(
      .blocks(of: context.blockSize(count, least: 8192, multipleOf: 16), in: count) { range, worker in
        context.kernels.activationForward(self, x, range: range, y: y, scratch: context.scratch(worker))
      })
  }
}
