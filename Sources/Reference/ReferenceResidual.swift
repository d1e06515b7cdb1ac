import RealModule

/// The residual connection: an elementwise sum.
public enum ReferenceResidual {
  /// `y[i] = a[i] + mask[i] · b[i]`, any shape, all the same; without a mask `a[i] + b[i]`.
  @inlinable
  public static func forward<Scalar: Real & BinaryFloatingPoint>(
    _ a: [Scalar], _ b: [Scalar], mask: [Scalar]? = nil
  ) -> [Scalar] {
    precondition(a.count == b.count)
    let b = ReferenceDropout.apply(mask, to: b)
    return a.indices.map { a[$0] + b[$0] }
  }

  /// `da[i] = dy[i]`, `db[i] = mask[i] · dy[i]`: without a mask both branches receive the whole gradient.
  @inlinable
  public static func backward<Scalar: Real & BinaryFloatingPoint>(
    _ dout: [Scalar], mask: [Scalar]? = nil
  ) -> (first: [Scalar], second: [Scalar]) {
    (dout, ReferenceDropout.apply(mask, to: dout))
  }
}
