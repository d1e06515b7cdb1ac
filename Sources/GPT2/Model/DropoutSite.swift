import Machine
import Operators

/// Where training drops elements: the places of nanoGPT's `model.py`.
enum DropoutSite {
  /// Of wte + wpe.
  case embedding
  /// Of attention's weights, after softmax.
  case attention(layer: Int)
  /// Of what attention adds to the residual stream, and of what the feed-forward pair does.
  case attentionProjection(layer: Int)
  case feedForwardProjection(layer: Int)

  /// The embedding has 0; then each layer has one for each head, and one for each projection.
  func number(_ configuration: Configuration) -> UInt32 {
    let heads = configuration.heads
    let number =
      switch self {
      case .embedding: 0
      case .attention(let layer): 1 + layer * (heads + 2)
      case .attentionProjection(let layer): 1 + layer * (heads + 2) + heads
      case .feedForwardProjection(let layer): 1 + layer * (heads + 2) + heads + 1
      }
    return UInt32(truncatingIfNeeded: number)
  }
}

extension Network {
  /// The mask of a place in a pass; nil: all is kept.
  func mask(_ site: DropoutSite, _ acts: Activations) -> DropoutMask? {
    acts.dropout?.mask(site.number(configuration))
  }

  /// y = stream + the mask's part of weight·x + bias: a branch's last product, and where it joins the stream.
  func addBranch(
    _ x: Matrix, _ weight: ProductWeight, bias: Tensor, to stream: Matrix, y: Matrix, _ mask: DropoutMask?,
    beside queue: WorkQueue?
  ) {
    weight.forward(
      x, bias: bias, y: y, epilogue: mask == nil ? .add(stream) : nil, context: context, beside: queue)
    if let mask { Dropout.apply(y, mask: mask, addedTo: stream, y: y, context: context) }
  }

  /// The gradient of a branch's last product from that of the stream, as the products back take it.
  func branchGradient(_ scratch: BackwardScratch, _ mask: DropoutMask?) -> Matrix {
    guard let mask else { return scratch.rounded?.dresidual ?? scratch.dresidual }
    let branch = scratch.rounded?.dresidual ?? scratch.dropped
    Dropout.apply(scratch.dresidual, mask: mask, y: branch, context: context)
    return branch
  }

  /// Drops elements in place.
  func drop(_ x: Matrix, _ mask: DropoutMask?) {
    if let mask { Dropout.apply(x, mask: mask, y: x, context: context) }
  }
}
