import Machine

/// What is done to each element of a product y (R, N) as soon as it is complete, while it is in cache.
///
/// Tensors have the shape of y and its row stride, and are not y.
///
/// - Accuracy: the bits are those of the operator by itself, after the product's; `LinearTests` enforces it.
/// - Complexity: the operator's FLOP; of memory only the tensor is read or written, 4 bytes an element.
public enum Epilogue {
  /// y += tensor, as `Residual.forward`.
  case add(Tensor)
  /// output = activation(y), as `Activation.forward`; y is kept as well.
  case activation(Activation, output: Tensor)
  /// y ·= activation′(input), as `Activation.backward`.
  case slope(Activation, input: Tensor)
}
