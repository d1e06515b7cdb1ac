/// What matrix products multiply: it decides the bits of a run, which so keeps it.
///
/// Parameters, gradients, the optimizer's state, the residual stream, norms, softmax and loss are float32 in both.
public enum OperandPrecision: String, CaseIterable, Sendable {
  /// float32.
  case fp32
  /// bfloat16, rounded to nearest where an operand is made; sums are float32.
  case bf16
}
