import Machine

/// What is done to each element of a product as soon as it is complete, while it is in cache.
///
/// The bits are those of the operators by themselves (`Residual.forward`, `Activation`). Tensors are laid out as the
/// product.
public enum Epilogue {
  /// y += tensor.
  case add(Tensor)
  /// output = activation(y); y is kept as well.
  case activation(Activation, output: Tensor)
  /// y ·= activation′(input).
  case slope(Activation, input: Tensor)
}
