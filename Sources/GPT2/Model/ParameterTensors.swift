import Machine

/// One layer's twelve tensors, as views of an arena that holds parameters, or gradients of the same shapes.
struct LayerTensors: Sendable {
  let ln1w, ln1b, qkvw, qkvb, attprojw, attprojb, ln2w, ln2b, fcw, fcb, fcprojw, fcprojb: Tensor

  init(_ arena: Arena, layer: Int) {
    func view(_ name: String) -> Tensor { arena.tensor(named: name).layer(layer) }
    ln1w = view("ln1w")
    ln1b = view("ln1b")
    qkvw = view("qkvw")
    qkvb = view("qkvb")
    attprojw = view("attprojw")
    attprojb = view("attprojb")
    ln2w = view("ln2w")
    ln2b = view("ln2b")
    fcw = view("fcw")
    fcb = view("fcb")
    fcprojw = view("fcprojw")
    fcprojb = view("fcprojb")
  }
}

/// The sixteen tensors by layer: the views that forward and backward work with.
struct ParameterTensors: Sendable {
  let wte, wpe, lnfw, lnfb: Tensor
  let layers: [LayerTensors]

  init(_ arena: Arena, configuration: Configuration) {
    wte = arena.tensor(named: "wte")
    wpe = arena.tensor(named: "wpe")
    lnfw = arena.tensor(named: "lnfw")
    lnfb = arena.tensor(named: "lnfb")
    layers = (0..<configuration.layers).map { LayerTensors(arena, layer: $0) }
  }
}

extension Arena {
  /// A tensor that the program itself put there.
  func tensor(named name: String) -> Tensor {
    guard let tensor = self[name] else { preconditionFailure("the arena has no tensor \(name)") }
    return tensor
  }
}

extension Tensor {
  /// Row `layer` of the first dimension.
  func layer(_ layer: Int) -> Tensor {
    let size = count / shape[0]
    return slice(layer * size..<(layer + 1) * size, shape: Array(shape.dropFirst()))
  }
}
