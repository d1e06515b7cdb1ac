/// What the elements of a tensor are.
///
/// Arithmetic exists for float32 alone: the accessors of `Tensor` that read or write numbers take no other. Memory,
/// views and conversions know all of them.
public enum ElementType: String, Sendable, CaseIterable {
  /// IEEE 754 binary32.
  case float32
  /// The upper half of a float32: its range, with 8 significant bits.
  case bfloat16
  /// IEEE 754 binary16: 11 significant bits, numbers below 65,520.
  case float16
  /// Two's complement.
  case int8

  /// Of one element.
  public var byteCount: Int {
    switch self {
    case .float32: 4
    case .bfloat16, .float16: 2
    case .int8: 1
    }
  }
}
