/// How a file stores a number: little-endian, in one of three formats that float32 holds exactly.
public enum Precision: String, Sendable, CaseIterable {
  /// IEEE 754 binary32.
  case float32
  /// The upper half of a float32: its range, with 8 significant bits.
  case bfloat16
  /// IEEE 754 binary16: 11 significant bits, magnitudes up to 65504.
  case float16

  /// Of one number.
  public var byteCount: Int { self == .float32 ? 4 : 2 }
}
