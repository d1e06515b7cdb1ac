import Machine
import Operators

/// A GPT-2 as a function: its configuration and parameters, and where it runs.
///
/// Its passes take and leave what they work with: a forward pass returns what a backward pass consumes, and nothing is
/// remembered here. `Model` is the same with the calls of the original program; `TrainingState` is what training adds.
public struct Network {
  public let configuration: Configuration
  public var activation: Activation { configuration.activation }
  /// How its memory is placed: parameters, and what is derived from them.
  public let memory: MemoryOptions
  public let parameters: ParameterTensors
  public let context: ExecutionContext

  /// Makes a network with all parameters 0.
  ///
  /// - Parameter activation: in place of the configuration's.
  /// - Throws: `ModelError.memory` when the parameters exceed the memory at hand.
  public init(
    configuration: Configuration, activation: Activation? = nil, memory: MemoryOptions = MemoryOptions(),
    context: ExecutionContext
  ) throws(ModelError) {
    let configuration = configuration.with(activation: activation)
    self.configuration = configuration
    self.memory = memory
    self.context = context
    parameters = try ModelError.wrapping { () throws(MemoryError) in
      try ParameterTensors(configuration, memory: memory, what: "the model's parameters")
    }
  }

  /// ε of layer normalisation, as its operator takes it.
  var epsilon: Float { Float(configuration.layerNormEpsilon) }

  /// An empty workspace for this network's passes.
  public func makeWorkspace() -> Workspace {
    Workspace(configuration: configuration, memory: memory, context: context)
  }
}
