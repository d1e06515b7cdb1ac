import Machine
import Operators

/// Whom a backward pass tells which gradients are final, as soon as they are.
///
/// A pass knows nothing else of what becomes of them: a sink may keep them, measure them, reduce them over ranks and
/// hand them on.
protocol GradientSink {
  func areFinal(_ range: ParameterRange)
}

/// Leaves the gradients where they are.
struct KeepingSink: GradientSink {
  func areFinal(_ range: ParameterRange) {}
}

/// Measures what is final, beside the arithmetic of the layers before it.
///
/// An update waits for the norm: one that is not finite must change nothing, and clipping scales all gradients by it.
/// What a product has just written comes first, as it is still in cache.
final class MeasuringSink: GradientSink {
  private let norm: RowNorms
  private let gradients: ParameterTensors
  private let queue: WorkQueue
  private let context: ExecutionContext
  /// Each domain's rows of wte that no token of the batch has: too many to stay in cache, they go between all others in
  /// shares.
  private var waiting: [[Range<Int>]] = []
  private var shares: [Int] = []

  init(norm: RowNorms, gradients: ParameterTensors, queue: WorkQueue, context: ExecutionContext) {
    self.norm = norm
    self.gradients = gradients
    self.queue = queue
    self.context = context
  }

  func areFinal(_ range: ParameterRange) {
    let (configuration, homes) = (gradients.configuration, context.parallel.homes)
    if case .tokens(outside: let tokens) = range {
      let times = Self.rangesOfLayer * configuration.layers
      waiting = ParameterRange.rows(outside: tokens, times: times, configuration, homes)
      shares = waiting.map { ($0.count + times - 1) / times }
      return
    }
    range.rows(configuration, homes).forEach(add)
    var share = shares
    if case .embeddings = range { share = waiting.map(\.count) }
    add(ParameterRows(part: ParameterPart(.wte), ranges: zip(waiting, share).map { Array($0.suffix($1)) }))
    for domain in waiting.indices {
      waiting[domain].removeLast(min(share[domain], waiting[domain].count))
    }
  }

  /// How often a layer's backward pass tells of final gradients.
  private static let rangesOfLayer = 6

  private func add(_ rows: ParameterRows) {
    queue.add(rows.of(norm.work(for: rows.part, of: gradients, context: context), row: 1))
  }
}

/// The squared norms of the gradients' rows of C.
///
/// They stand in the order of llm.c's files, whatever the order in memory and that in which they become known: their
/// sum has the same bits.
final class RowNorms {
  private let configuration: Configuration
  private let arena: Arena
  /// The row at which each parameter begins.
  private let firstRows: [Int]

  init(_ network: Network) throws(ModelError) {
    configuration = network.configuration
    var row = 0
    firstRows = Parameter.allCases.map { [configuration] parameter in
      defer { row += parameter.shape(configuration).reduce(1, *) / configuration.channels }
      return row
    }
    let count = row
    arena = try ModelError.wrapping { () throws(MemoryError) in
      try network.memory.arena(
        [Arena.Entry(name: "squares", shape: [count])], what: "the norms of the gradients")
    }
    squares = arena.all.slice(0..<count)
  }

  private let squares: Tensor

  /// Of all rows of a tensor, or of a layer of it.
  func work(for part: ParameterPart, of gradients: ParameterTensors, context: ExecutionContext) -> Work {
    let count = part.count(configuration) / configuration.channels
    let first = firstRows[part.parameter.index] + (part.layer ?? 0) * count
    return GradientNorm.work(
      of: gradients[part], channels: configuration.channels, squares: squares.slice(first..<first + count),
      context: context)
  }

  /// Measures all gradients at once.
  func measure(_ gradients: ParameterTensors, context: ExecutionContext) {
    let queue = context.makeQueue()
    for part in configuration.parameterParts { queue.add(work(for: part, of: gradients, context: context)) }
    context.finish(queue)
  }

  /// The Euclidean norm of all gradients.
  ///
  /// - Accuracy: squares are summed in float32 within a row, then in Double: |error| ≤ ½(C/16 + 4)·ε of it.
  var value: Double { GradientNorm.root(ofSum: squares) }
}
