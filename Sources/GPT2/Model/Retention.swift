import Machine

/// What training computes again in the backward pass instead of keeping it from the forward pass.
public enum Recomputation: String, CaseIterable, Sendable {
  /// Nothing: 16·B·T·C floats a layer. (With products of bfloat16 the activation, in any case.)
  case none
  /// Both layer norms and the activation: 10·B·T·C floats a layer, and about a hundredth more time.
  case elementwise
  /// Every block from its input: B·T·C floats a layer, and about a third more time.
  case blocks
}

extension Recomputation {
  /// `none` where all that training keeps takes at most a sixteenth of the machine's memory, else `elementwise`.
  ///
  /// Results do not depend on it. It is the same in every precision: what bfloat16 saves is not spent on keeping more.
  public static func automatic(
    _ configuration: Configuration, batchSize: Int, sequenceLength: Int
  ) -> Recomputation {
    guard let memory = Topology.current.totalMemoryBytes else { return .none }
    let layout = ActivationLayout(
      configuration, batchSize: batchSize, sequenceLength: sequenceLength, retention: .forBackward(.none),
      precision: .fp32)
    guard let count = layout.count else { return .elementwise }
    return count <= memory / 16 / MemoryLayout<Float>.stride ? .none : .elementwise
  }
}

/// What a pass keeps of each layer, and of the logits.
public enum Retention: Equatable, Sendable {
  /// Everything, for people who look and for a backward pass that is called by itself; on demand also the attention's
  /// scores and weights, which no other pass stores at all.
  case all(attention: Bool)
  /// What the backward pass of the same step needs.
  case forBackward(Recomputation)
  /// Nothing: only the loss, or the last logits, are wanted.
  case nothing

  /// Whether all logits exist at once.
  var keepsLogits: Bool {
    if case .all = self { true } else { false }
  }

  /// Whether the attention's scores and weights exist at all.
  var storesAttention: Bool { self == .all(attention: true) }

  /// What a backward pass must compute again.
  var recomputation: Recomputation? {
    switch self {
    case .all: Recomputation.none
    case .forBackward(let recomputation): recomputation
    case .nothing: nil
    }
  }

  /// Whether each layer has a tensor of its own; else all layers' passes overwrite one in turn.
  ///
  /// - Parameter precision: what products multiply.
  func keepsLayers(of activation: ActivationTensor, _ precision: OperandPrecision) -> Bool {
    switch self {
    case .all: true
    case .forBackward(.none): activation != .fchGELU || precision.pairedOrder == nil
    case .forBackward(.elementwise): ![.ln1, .ln2, .fchGELU].contains(activation)
    case .forBackward(.blocks): activation == .residual3
    case .nothing: false
    }
  }
}
