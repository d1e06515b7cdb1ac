import Machine
import Operators

/// The weights of a network's products in bfloat16, laid out for the forward pass, and for the one back where there are
/// any, beside the float32 masters: for passes of few rows, whose products would spend their time on packing.
///
/// Whoever changes a master sees to it that they follow: an update that is taken on the way of a forward pass lays out
/// what it changes; after all else they are out of date as a whole, and the next pass begins with them.
final class LaidOutWeights {
  /// Whether they are those of the masters; if not, the next pass lays all of them out.
  var areCurrent = false
  /// In which products sum.
  let order: PairedOrder
  private let configuration: Configuration
  /// Nil until the first pass that multiplies them.
  private var forward, backward: Arena?
  private var layers: [LayerWeights] = []

  init(_ configuration: Configuration, _ order: PairedOrder) {
    (self.configuration, self.order) = (configuration, order)
  }

  /// Allocates them, each once.
  ///
  /// - Parameter both: whether a backward pass follows.
  func reserve(both: Bool, _ memory: MemoryOptions) throws(MemoryError) {
    if forward != nil && (backward != nil || !both) { return }
    areCurrent = false
    if forward == nil { forward = try arena(isForward: true, memory) }
    if both { backward = try arena(isForward: false, memory) }
    layers = (0..<configuration.layers).map { layer in
      LayerWeights { product(ParameterPart($0, layer: layer)) }
    }
  }

  var byteCount: Int { (forward?.byteCount ?? 0) + (backward?.byteCount ?? 0) }
  /// So far.
  var tensors: [Tensor] { (forward?.tensors ?? []) + (backward?.tensors ?? []) }

  func layer(_ layer: Int) -> LayerWeights { layers[layer] }
  var head: ProductWeight { product(ParameterPart(.wte)) }

  /// The matrices of each layer's products.
  private static let layered: [Parameter] = [.qkvw, .attprojw, .fcw, .fcprojw]

  private static func name(_ part: ParameterPart, isForward: Bool) -> String {
    "\(part.parameter.name) \(part.layer ?? 0) \(isForward ? "forward" : "backward")"
  }

  /// N and K of weight (N, K); the head's without the rows that pad the vocabulary.
  private static func size(_ part: ParameterPart, _ configuration: Configuration) -> (rows: Int, columns: Int)
  {
    if part.parameter == .wte { return (configuration.vocabularySize, configuration.channels) }
    let shape = part.shape(configuration)
    return (shape[0], shape[1])
  }

  /// K and N of the operand that a pass takes.
  private func size(_ part: ParameterPart, isForward: Bool) -> (rows: Int, columns: Int) {
    let (rows, columns) = Self.size(part, configuration)
    return isForward ? (columns, rows) : (rows, columns)
  }

  private func arena(isForward: Bool, _ memory: MemoryOptions) throws(MemoryError) -> Arena {
    let parts =
      (0..<configuration.layers).flatMap { layer in Self.layered.map { ParameterPart($0, layer: layer) } }
      + [ParameterPart(.wte)]
    let entries = parts.map { part in
      let (rows, columns) = size(part, isForward: isForward)
      return Arena.Entry(
        name: Self.name(part, isForward: isForward),
        shape: [PairedMatrix.count(rows: rows, columns: columns)], elementType: .bfloat16)
    }
    return try memory.arena(entries, what: "the weights in bfloat16")
  }

  /// For the forward pass, or for the one back; nil where memory is not reserved for it.
  private func panels(_ part: ParameterPart, isForward: Bool) -> PairedMatrix? {
    let (rows, columns) = size(part, isForward: isForward)
    return (isForward ? forward : backward)?[Self.name(part, isForward: isForward)].map {
      PairedMatrix($0, rows: rows, columns: columns, order: order)
    }
  }

  private func product(_ part: ParameterPart) -> ProductWeight {
    guard let forward = panels(part, isForward: true) else {
      preconditionFailure("\(part.parameter.name) is laid out, and memory reserved for it")
    }
    return .bfloat16(
      forward: .panels(forward), backward: panels(part, isForward: false).map { .panels($0) })
  }

  // MARK: - What follows a master

  func layOut(_ masters: ParameterTensors, context: ExecutionContext) {
    for part in configuration.parameterParts where master(part, of: masters) != nil {
      context.perform(work(part, of: masters, context: context))
    }
    areCurrent = true
  }

  /// The matrix (N, K) that is laid out; nil for a part that is no weight.
  func master(_ part: ParameterPart, of masters: ParameterTensors) -> Matrix? {
    guard part.parameter == .wte || Self.layered.contains(part.parameter) else { return nil }
    let (rows, columns) = Self.size(part, configuration)
    return Matrix(masters[part], rows: rows, columns: columns)
  }

  /// Lays a weight out.
  ///
  /// - Parameters:
  ///   - part: has a `master`.
  ///   - before: called with the rows that a task is about to read, to change them.
  func work(
    _ part: ParameterPart, of masters: ParameterTensors, context: ExecutionContext,
    before: @escaping (_ rows: Range<Int>, _ worker: Int) -> Void = { _, _ in }
  ) -> Work {
    guard let master = master(part, of: masters) else {
      preconditionFailure("\(part.parameter.name) is no weight")
    }
    return OperandLayout.work(
      master, forward: panels(part, isForward: true), backward: panels(part, isForward: false),
      context: context, before: before)
  }
}
