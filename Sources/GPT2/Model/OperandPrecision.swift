import Operators

/// What matrix products multiply: it decides the bits of a run, which so keeps it.
///
/// Parameters, gradients, the optimizer's state, the residual stream, norms, softmax and loss are float32 in all.
public enum OperandPrecision: String, CaseIterable, Sendable {
  /// float32.
  case fp32
  /// bfloat16, rounded to nearest where an operand is made; sums are float32, in the order of AVX512_BF16's instruction.
  case bf16
  /// The same operands, the sums of linear layers in the order of AMX's instruction: other bits.
  case bf16AMX = "bf16-amx"

  /// The order of the sums of products of bfloat16; nil: there are none.
  public var pairedOrder: PairedOrder? {
    switch self {
    case .fp32: nil
    case .bf16: .pairs
    case .bf16AMX: .tiles
    }
  }

  /// What limits its products.
  package var arithmetic: Limits.Arithmetic {
    switch self {
    case .fp32: .float32
    case .bf16: .bfloat16
    case .bf16AMX: .bfloat16Tiles
    }
  }
}
