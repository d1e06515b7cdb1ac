import Machine

/// One of the sixteen tensors, or one layer of it: what readers and writers handle at a time, so that converting
/// a model takes the memory of its largest part.
struct ParameterPart {
  let entry: Arena.Entry
  /// nil for wte, wpe, lnfw and lnfb, which no layer has.
  let layer: Int?

  /// In llm.c's layout.
  var shape: [Int] { layer == nil ? entry.shape : Array(entry.shape.dropFirst()) }
  /// No overflow: `Configuration` counts all parameters.
  var count: Int { shape.reduce(1, *) }

  /// The part of `arena`, in place.
  func tensor(in arena: Arena) -> Tensor {
    let tensor = arena.tensor(matching: entry)
    return layer.map { tensor.layer($0) } ?? tensor
  }
}

extension Configuration {
  private static let tensorsOutsideLayers: Set = ["wte", "wpe", "lnfw", "lnfb"]

  /// The parts of all tensors, in llm.c's order; made one by one, as a file may claim any number of layers.
  var parameterParts: some Sequence<ParameterPart> {
    parameterShapes.lazy.flatMap { entry in
      (0..<(Self.tensorsOutsideLayers.contains(entry.name) ? 1 : layers)).lazy.map { layer in
        ParameterPart(
          entry: entry, layer: Self.tensorsOutsideLayers.contains(entry.name) ? nil : layer)
      }
    }
  }
}

extension Arena {
  /// The tensor of this name and shape; another shape or none is an error of the program.
  func tensor(matching entry: Entry) -> Tensor {
    guard let tensor = self[entry.name], tensor.shape == entry.shape else {
      preconditionFailure("the arena should hold \(entry.name) with shape \(entry.shape)")
    }
    return tensor
  }
}

/// Where writers take the parameters from.
enum ParameterSource {
  case arena(Arena)
  /// By way of a tensor that holds the largest part.
  case checkpoint(Checkpoint, scratch: Tensor)

  /// In llm.c's layout; valid until the next call.
  func tensor(_ part: ParameterPart) -> Tensor {
    switch self {
    case .arena(let arena): return part.tensor(in: arena)
    case .checkpoint(let checkpoint, let scratch):
      let tensor = scratch.slice(0..<part.count, shape: part.shape, name: part.entry.name)
      checkpoint.load(part, into: tensor)
      return tensor
    }
  }
}
