import Machine
import Operators

/// The weight of a linear layer as its products take it.
enum ProductWeight: Sendable {
  /// (N, K): the master itself.
  case float32(Matrix)
  /// For the forward pass (K, N), and for the gradient of the input (N, K); nil where no backward pass follows.
  case bfloat16(forward: PairedOperand, backward: PairedOperand?)

  /// `Linear.forward` in the weight's precision.
  ///
  /// - Parameters:
  ///   - x: (R, K), of the weight's element type.
  ///   - rounded: (R, N), or nil: y as the next product's operand, or what is kept of it beside an activation; nil in
  ///     float32.
  func forward(
    _ x: Matrix, bias: Tensor?, y: Matrix, epilogue: Epilogue? = nil, rounded: Matrix? = nil,
    context: ExecutionContext, beside queue: WorkQueue? = nil
  ) {
    switch self {
    case .float32(let weight):
      Linear.forward(
        x, weight: weight, bias: bias, y: y, epilogue: epilogue, context: context, beside: queue)
    case .bfloat16(let weight, _):
      Linear.forward(
        x, weight: weight, bias: bias, y: y, epilogue: epilogue, rounded: rounded, context: context,
        beside: queue)
    }
  }

  /// `Linear.backward` in the weight's precision.
  ///
  /// - Parameters:
  ///   - dout: (R, N). x: (R, K). Both of the weight's element type.
  ///   - rounded: (R, K), bfloat16, or nil: dx as the next product's operand; nil in float32.
  func backward(
    _ dout: Matrix, x: Matrix, accumulate: Bool, dx: Matrix, epilogue: Epilogue? = nil,
    rounded: Matrix? = nil, dweight: Matrix, dbias: Tensor?, context: ExecutionContext,
    beside queue: WorkQueue? = nil
  ) {
    switch self {
    case .float32(let weight):
      Linear.backward(
        dout, x: x, weight: weight, accumulate: accumulate, dx: dx, epilogue: epilogue, dweight: dweight,
        dbias: dbias, context: context, beside: queue)
    case .bfloat16(_, let weight):
      guard let weight else { preconditionFailure("room was made for a backward pass") }
      Linear.backward(
        dout, x: x, weight: weight, accumulate: accumulate, dx: dx, epilogue: epilogue, rounded: rounded,
        dweight: dweight, dbias: dbias, context: context, beside: queue)
    }
  }
}

/// One layer's four weights.
struct LayerWeights: Sendable {
  let qkvw, attprojw, fcw, fcprojw: ProductWeight

  init(_ weight: (Parameter) -> ProductWeight) {
    (qkvw, attprojw, fcw, fcprojw) = (weight(.qkvw), weight(.attprojw), weight(.fcw), weight(.fcprojw))
  }
}
