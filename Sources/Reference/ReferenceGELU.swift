import RealModule

/// The activation of the feed-forward block, in the forms that the model offers.
public enum ReferenceGELU: String, Sendable, CaseIterable {
  /// GPT-2's: x/2 · (1 + tanh(√(2/π)·(x + 0.044715·x³))).
  ///
  /// - SeeAlso: Hendrycks, Gimpel 2016, arXiv:1606.08415.
  case tanh
  /// x·Φ(x) = x/2 · erfc(−x/√2), exactly GELU.
  case erf
  /// A polynomial that follows GELU for |x| ≤ 0.5 only:
  /// x·(0.5 + 0.35849124·x + 0.05037353·x³ + 0.00625·x⁵).
  case quintic

  /// Applies the activation to every element.
  ///
  /// - Parameter input: any shape.
  /// - Returns: the same shape.
  @inlinable
  public func forward<Scalar: Real & BinaryFloatingPoint>(_ input: [Scalar]) -> [Scalar] {
    input.map { value($0) }
  }

  /// The gradient of the input, elementwise `dout · f′(input)`.
  ///
  /// - Parameters:
  ///   - dout: any shape.
  ///   - input: what the forward pass was given, the same shape.
  @inlinable
  public func backward<Scalar: Real & BinaryFloatingPoint>(_ dout: [Scalar], input: [Scalar]) -> [Scalar] {
    precondition(dout.count == input.count)
    return input.indices.map { dout[$0] * derivative(input[$0]) }
  }

  /// f(x).
  @inlinable
  public func value<Scalar: Real & BinaryFloatingPoint>(_ x: Scalar) -> Scalar {
    switch self {
    case .tanh:
      let scale = (2 / Scalar.pi).squareRoot()
      return 0.5 * x * (1 + Scalar.tanh(scale * (x + 0.044715 * x * x * x)))
    case .erf: return 0.5 * x * Scalar.erfc(-x * Scalar(0.5).squareRoot())
    case .quintic:
      let x3 = x * x * x
      let x5 = x3 * x * x
      let terms: Scalar = 0.35849124 * x + 0.05037353 * x3 + 0.00625 * x5
      return x * (0.5 + terms)
    }
  }

  /// f′(x). For tanh, with u = √(2/π)·(x + 0.044715·x³) and t = tanh u,
  ///
  ///     f′(x) = (1 + t)/2 + x/2 · (1 − t²) · √(2/π)·(1 + 3·0.044715·x²)
  ///
  /// for erf Φ(x) + x·φ(x), and for the polynomial 0.5 + 2·0.35849124·x + 4·0.05037353·x³ + 6·0.00625·x⁵.
  @inlinable
  public func derivative<Scalar: Real & BinaryFloatingPoint>(_ x: Scalar) -> Scalar {
    switch self {
    case .tanh:
      let scale = (2 / Scalar.pi).squareRoot()
      let tanh = Scalar.tanh(scale * (x + 0.044715 * x * x * x))
      let inner: Scalar = scale * (1 + 0.134145 * x * x)
      let slope: Scalar = 1 - tanh * tanh
      return 0.5 * (1 + tanh) + 0.5 * x * slope * inner
    case .erf:
      let density = Scalar.exp(-0.5 * x * x) / (2 * Scalar.pi).squareRoot()
      return 0.5 * Scalar.erfc(-x * Scalar(0.5).squareRoot()) + x * density
    case .quintic:
      let x3 = x * x * x
      let x5 = x3 * x * x
      let terms: Scalar = 0.71698248 * x + 0.20149412 * x3 + 0.0375 * x5
      return 0.5 + terms
    }
  }
}
