import RealModule

/// The length of all gradients taken as one vector.
public enum ReferenceGradientNorm {
  /// √(Σ g²) over every element of every tensor.
  ///
  /// - Parameter gradients: one array a tensor, any shapes.
  /// - Accuracy: plain summation, |error| ≤ n·ε·norm; overflows where Σ g² does.
  @inlinable
  public static func norm<Scalar: Real & BinaryFloatingPoint>(
    _ gradients: some Sequence<[Scalar]>
  ) -> Scalar {
    var sum: Scalar = 0
    for tensor in gradients {
      for gradient in tensor { sum += gradient * gradient }
    }
    return sum.squareRoot()
  }
}
