import Operators

/// The sixteen tensors of a GPT-2, in llm.c's order: what there is to know of each, and the one place that knows it.
///
/// Views, initialisation, readers and writers, updates and inspection ask here. Files keep this order; in memory the
/// twelve of a layer lie side by side (`ParameterLayout`).
public enum Parameter: String, CaseIterable, Sendable {
  /// Token embedding, and the head that is tied to it.
  case wte
  /// Position embedding.
  case wpe
  /// The layer norm before attention.
  case ln1w, ln1b
  /// Query, key and value.
  case qkvw, qkvb
  /// From the heads back onto the residual stream.
  case attprojw, attprojb
  /// The layer norm before the feed-forward block.
  case ln2w, ln2b
  /// Into the feed-forward block, and from there back onto the residual stream.
  case fcw, fcb, fcprojw, fcprojb
  /// The last layer norm.
  case lnfw, lnfb

  private struct Facts {
    var isLayered = true
    var role = ParameterRole.vector
    var initialValue = InitialValue.zero
    let shape: (Configuration) -> [Int]
  }

  private var facts: Facts {
    switch self {
    case .wte:
      Facts(isLayered: false, role: .embedding, initialValue: .normal) {
        [$0.paddedVocabularySize, $0.channels]
      }
    case .wpe:
      Facts(isLayered: false, role: .embedding, initialValue: .normal) {
        [$0.maximumSequenceLength, $0.channels]
      }
    case .ln1w, .ln2w: Facts(initialValue: .one) { [$0.channels] }
    case .ln1b, .ln2b, .attprojb, .fcprojb: Facts { [$0.channels] }
    case .qkvw: Facts(role: .matrix, initialValue: .normal) { [3 * $0.channels, $0.channels] }
    case .qkvb: Facts { [3 * $0.channels] }
    case .attprojw: Facts(role: .matrix, initialValue: .residualNormal) { [$0.channels, $0.channels] }
    case .fcw: Facts(role: .matrix, initialValue: .normal) { [4 * $0.channels, $0.channels] }
    case .fcb: Facts { [4 * $0.channels] }
    case .fcprojw: Facts(role: .matrix, initialValue: .residualNormal) { [$0.channels, 4 * $0.channels] }
    case .lnfw: Facts(isLayered: false, initialValue: .one) { [$0.channels] }
    case .lnfb: Facts(isLayered: false) { [$0.channels] }
    }
  }

  public var name: String { rawValue }
  /// Whether each layer has one.
  public var isLayered: Bool { facts.isLayered }
  public var role: ParameterRole { facts.role }
  public var initialValue: InitialValue { facts.initialValue }

  /// Of one layer's where each has one; row-major.
  public func layerShape(_ configuration: Configuration) -> [Int] { facts.shape(configuration) }

  /// With the layers first where there are any: as files hold it.
  public func shape(_ configuration: Configuration) -> [Int] {
    (isLayered ? [configuration.layers] : []) + layerShape(configuration)
  }

  static let layered = allCases.filter(\.isLayered)

  /// What a new model has.
  public enum InitialValue: Sendable {
    case zero, one
    /// N(0, 0.02²).
    case normal
    /// The same, divided by √(2L): 2L such matrices add to the residual stream.
    case residualNormal
  }
}

/// One of the sixteen tensors, or one layer's: what readers, writers and updates handle at a time.
public struct ParameterPart: Hashable, Sendable {
  public let parameter: Parameter
  /// nil where layers have none.
  public let layer: Int?

  public init(_ parameter: Parameter, layer: Int? = nil) {
    precondition(parameter.isLayered == (layer != nil), "\(parameter.name) of layer \(layer ?? -1)")
    self.parameter = parameter
    self.layer = layer
  }

  /// Row-major, as llm.c lays it out.
  public func shape(_ configuration: Configuration) -> [Int] { parameter.layerShape(configuration) }

  /// No overflow: `Configuration` counts all parameters.
  public func count(_ configuration: Configuration) -> Int { shape(configuration).reduce(1, *) }
}

extension Configuration {
  /// The parts of all tensors, in llm.c's order; made one by one, as a file may claim any number of layers.
  var parameterParts: some Sequence<ParameterPart> {
    Parameter.allCases.lazy.flatMap { parameter in
      (0..<(parameter.isLayered ? layers : 1)).lazy.map { layer in
        ParameterPart(parameter, layer: parameter.isLayered ? layer : nil)
      }
    }
  }

  /// How many numbers the sixteen tensors hold, padding of the vocabulary included.
  public var parameterCount: Int {
    Parameter.allCases.reduce(0) { $0 + $1.shape(self).reduce(1, *) }
  }
}
