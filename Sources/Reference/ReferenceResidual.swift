import RealModule

/// The residual connection: an elementwise sum.
public enum ReferenceResidual {
  /// `y[i] = a[i] + b[i]`, any shape, both the same.
  @inlinable
  public static func forward<Scalar: Real & BinaryFloatingPoint>(_ a: [Scalar], _ b: [Scalar]) -> [Scalar] {
    precondition(a.count == b.count)
    return a.indices.map { a[$0] + b[$0] }
  }

  /// `da[i] = db[i] = dy[i]`: both branches receive the whole gradient.
  @inlinable
  public static func backward<Scalar: Real & BinaryFloatingPoint>(
    _ dout: [Scalar]
  ) -> (first: [Scalar], second: [Scalar]) {
    (dout, dout)
  }
}
