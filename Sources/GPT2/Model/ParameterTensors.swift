import Machine

/// A number for each parameter of a model: the parameters themselves, their gradients, or what an optimizer keeps.
///
/// One range of memory in the order of `ParameterLayout`. The tensors have names and llm.c's shapes, and may be read
/// and written.
public final class ParameterTensors: Sendable {
  public let configuration: Configuration
  let layout: ParameterLayout
  private let arena: Arena
  private let layers: [LayerTensors]

  /// - Parameter what: names them in an error.
  /// - Throws: `MemoryError`, before anything is mapped where they exceed memory.
  public init(
    _ configuration: Configuration, memory: MemoryOptions = MemoryOptions(), what: String = "The parameters"
  ) throws(MemoryError) {
    self.configuration = configuration
    let layout = ParameterLayout(configuration)
    arena = try memory.arena(
      [Arena.Entry(name: what, shape: [layout.count])], what: what,
      parts: configuration.parameterParts.map {
        layout.offset($0)..<layout.offset($0) + $0.count(configuration)
      })
    self.layout = layout
    let all = arena.all
    layers = (0..<configuration.layers).map { layer in
      LayerTensors { Self.tensor(ParameterPart($0, layer: layer), layout, configuration, in: all) }
    }
  }

  /// The whole range, zeros between the tensors included.
  public var all: Tensor { arena.all }
  public var byteCount: Int { arena.byteCount }
  /// What was asked for and not granted (locked memory), as a sentence for the user.
  public var notice: String? { arena.notice }

  /// A tensor that no layer has, or one layer's.
  public subscript(_ part: ParameterPart) -> Tensor {
    Self.tensor(part, layout, configuration, in: arena.all)
  }

  /// A tensor of all layers.
  public subscript(_ parameter: Parameter) -> LayeredTensor {
    LayeredTensor(
      name: parameter.name, shape: parameter.shape(configuration),
      parts: parameter.isLayered
        ? (0..<configuration.layers).map { self[ParameterPart(parameter, layer: $0)] }
        : [self[ParameterPart(parameter)]])
  }

  /// A tensor by its name, such as "qkvw".
  public subscript(_ name: String) -> LayeredTensor? { Parameter(rawValue: name).map { self[$0] } }

  /// All sixteen, in llm.c's order.
  public var tensors: [LayeredTensor] { Parameter.allCases.map { self[$0] } }

  /// A layer's twelve.
  func layer(_ layer: Int) -> LayerTensors { layers[layer] }

  private static func tensor(
    _ part: ParameterPart, _ layout: ParameterLayout, _ configuration: Configuration, in all: Tensor
  ) -> Tensor {
    let shape = part.shape(configuration)
    let offset = layout.offset(part)
    return all.slice(offset..<offset + shape.reduce(1, *), shape: shape, name: part.parameter.name)
  }
}

/// One layer's twelve tensors.
struct LayerTensors: Sendable {
  let ln1w, ln1b, qkvw, qkvb, attprojw, attprojb, ln2w, ln2b, fcw, fcb, fcprojw, fcprojb: Tensor

  init(_ tensor: (Parameter) -> Tensor) {
    (ln1w, ln1b, qkvw, qkvb) = (tensor(.ln1w), tensor(.ln1b), tensor(.qkvw), tensor(.qkvb))
    (attprojw, attprojb) = (tensor(.attprojw), tensor(.attprojb))
    (ln2w, ln2b, fcw, fcb) = (tensor(.ln2w), tensor(.ln2b), tensor(.fcw), tensor(.fcb))
    (fcprojw, fcprojb) = (tensor(.fcprojw), tensor(.fcprojb))
  }
}
