import Machine

/// What is done to each element of a product y (R, N) as soon as it is complete, while it is in cache.
///
/// Matrices have the rows, columns and row stride of y, and are not y. With products of bfloat16 an activation's output is
/// bfloat16 and a slope's input float16, with a row stride of their own.
///
/// - Accuracy: the product's bits, then for the sum one rounding, for the activation those of `Activation.forward`, for
///   the slope a few ulp of its terms and one rounding; `LinearTests` and `ActivationTests` derive and enforce the bounds.
/// - Complexity: the operator's FLOP; of memory only the matrix is read or written, 4 bytes an element, 2 in bfloat16.
public enum Epilogue: Sendable {
  /// y += matrix.
  case add(Matrix)
  /// output = activation(y), as `Activation.forward`; y is kept as well.
  case activation(Activation, output: Matrix)
  /// y ·= activation′(input).
  case slope(Activation, input: Matrix)

  var matrix: Matrix {
    switch self {
    case .add(let matrix), .activation(_, output: let matrix), .slope(_, input: let matrix): matrix
    }
  }
}
