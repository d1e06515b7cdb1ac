import RealModule

/// What the products of a `ReferenceModel` multiply. Sums and everything else keep the model's own precision, but for what
/// the backward pass takes the activation of.
public enum ReferenceOperands: Sendable {
  /// The numbers themselves.
  case exact
  /// The nearest of bfloat16, as `ReferencePairs.operand` rounds them.
  case bfloat16

  /// `values` as operands: to float32, then to bfloat16.
  @inlinable
  public func callAsFunction<Scalar: Real & BinaryFloatingPoint>(_ values: [Scalar]) -> [Scalar] {
    switch self {
    case .exact: values
    case .bfloat16: values.map { Scalar(ReferencePairs.operand(Float($0))) }
    }
  }

  /// What is kept of the activation's input for the backward pass: beside operands of bfloat16 the nearest of float16.
  @inlinable
  public func kept<Scalar: Real & BinaryFloatingPoint>(_ values: [Scalar]) -> [Scalar] {
    switch self {
    case .exact: values
    case .bfloat16: values.map { Scalar(Float16(Float($0))) }
    }
  }
}
