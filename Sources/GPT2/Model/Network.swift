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
  public let context: ExecutionContext
  /// The parameters, for those of this module that change none of them, or lay out what they changed.
  let masters: ParameterTensors
  /// What matrix products multiply.
  public let precision: OperandPrecision
  /// What products of few rows multiply in bfloat16; nil in float32.
  let laidOut: LaidOutWeights?

  /// The parameters, in float32. They may be written to before the next pass; to write after it, ask for them again:
  /// weights in bfloat16 follow those that somebody has asked for.
  public var parameters: ParameterTensors {
    laidOut?.areCurrent = false
    return masters
  }

  /// Bytes of the weights that are kept beside the parameters, so far: 2 a weight of a product in bfloat16 for forward
  /// passes and 2 for backward ones, where these have few rows.
  public var laidOutByteCount: Int { laidOut?.byteCount ?? 0 }
  package var laidOutTensors: [Tensor] { laidOut?.tensors ?? [] }

  /// Makes a network with all parameters 0.
  ///
  /// - Parameters:
  ///   - activation: in place of the configuration's.
  ///   - precision: what matrix products multiply.
  /// - Throws: `ModelError.memory` when the parameters exceed the memory at hand.
  public init(
    configuration: Configuration, activation: Activation? = nil, precision: OperandPrecision = .fp32,
    memory: MemoryOptions = MemoryOptions(), context: ExecutionContext
  ) throws(ModelError) {
    let configuration = configuration.with(activation: activation)
    self.configuration = configuration
    let memory = memory.with(context)
    self.memory = memory
    self.context = context
    masters = try ModelError.wrapping { () throws(MemoryError) in
      try ParameterTensors(configuration, memory: memory, what: "the model's parameters")
    }
    self.precision = precision
    laidOut = precision.pairedOrder.map { LaidOutWeights(configuration, $0) }
  }

  private init(masters other: Network, _ precision: OperandPrecision) {
    (configuration, memory, context) = (other.configuration, other.memory, other.context)
    (masters, self.precision, laidOut) = (other.masters, precision, nil)
  }

  /// The same parameters, multiplied in float32.
  package var inFloat32: Network { Network(masters: self, .fp32) }

  /// The same network without memory beside its parameters: passes of few rows, too, round them on their way, which costs
  /// their products a multiple of their time.
  var withoutLaidOutWeights: Network { Network(masters: self, precision) }

  /// ε of layer normalisation, as its operator takes it.
  var epsilon: Float { Float(configuration.layerNormEpsilon) }

  /// An empty workspace for this network's passes.
  public func makeWorkspace() -> Workspace {
    Workspace(configuration: configuration, precision: precision, memory: memory, context: context)
  }

  // MARK: - What products multiply

  /// Rows of a thread from which on tasks of products round the masters themselves: that then costs one or two hundredths
  /// of their time, and saves 4 bytes a weight.
  static let rowsToRound = 1024

  /// The weights that a pass of so many rows multiplies; nil: the masters.
  func laidOut(rows: Int) -> LaidOutWeights? {
    rows < Self.rowsToRound * context.threads ? laidOut : nil
  }

  /// Makes room for what passes of so many rows multiply.
  func reserve(rows: Int, backward: Bool) throws(ModelError) {
    guard let laidOut = laidOut(rows: rows) else { return }
    try ModelError.wrapping { () throws(MemoryError) in try laidOut.reserve(both: backward, memory) }
  }

  /// Lays out what a pass of so many rows multiplies, where that is out of date.
  func layOutWeights(rows: Int) {
    guard let laidOut = laidOut(rows: rows), !laidOut.areCurrent else { return }
    laidOut.layOut(masters, context: context)
  }

  /// The weights of a layer's products.
  func weights(_ layer: Int, rows: Int) -> LayerWeights {
    if let laidOut = laidOut(rows: rows) { return laidOut.layer(layer) }
    let tensors = masters.layer(layer)
    return LayerWeights { parameter in
      switch parameter {
      case .qkvw: weight(tensors.qkvw.matrix())
      case .attprojw: weight(tensors.attprojw.matrix())
      case .fcw: weight(tensors.fcw.matrix())
      default: weight(tensors.fcprojw.matrix())
      }
    }
  }

  /// The head's weight: the token embedding without the rows that pad the vocabulary.
  func headWeight(rows: Int) -> ProductWeight {
    if let laidOut = laidOut(rows: rows) { return laidOut.head }
    return weight(
      Matrix(
        masters[ParameterPart(.wte)], rows: configuration.vocabularySize, columns: configuration.channels))
  }

  private func weight(_ master: Matrix) -> ProductWeight {
    switch precision.pairedOrder {
    case nil: .float32(master)
    case .some(let order):
      .bfloat16(forward: .numbers(master.transposed, order), backward: .numbers(master, order))
    }
  }

  /// x as an operand of products: itself in float32, rounded to `scratch` in bfloat16.
  func operand(_ x: Matrix, in scratch: Matrix?) -> Matrix {
    guard let scratch else { return x }
    OperandLayout.round(x, y: scratch, context: context)
    return scratch
  }
}
