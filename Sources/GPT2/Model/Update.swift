import Machine
import Operators

extension Model {
  /// Takes one step of AdamW over all parameters.
  ///
  /// - Parameters:
  ///   - optimizer: the step's constants; the learning rate may differ from step to step.
  ///   - clip: the largest norm of the gradients; larger ones are scaled down to it. 0: never.
  /// - Returns: the Euclidean norm of the gradients, before clipping.
  /// - Throws: `ModelError.noGradients` before the first backward pass; `ModelError.memory`;
  ///   `ModelError.nonFiniteGradients`, after which the parameters are not to be kept.
  /// - Complexity: 28 bytes a parameter, 4 more with clipping.
  @discardableResult
  public func update(_ optimizer: AdamW, clip: Double = 0) throws(ModelError) -> Double {
    guard hasGradients else { throw .noGradients }
    let gradients = gradientsAreZero ? try self.gradients() : try gradientMemory()
    let update = try PendingUpdate(optimizer, of: self, gradients: gradients)
    updateCount += 1
    var scale = 1.0
    if clip > 0 {
      update.computeNorm()
      let norm = try finiteNorm(update)
      if norm > clip { scale = clip / norm }
    }
    update.takeAll(step: updateCount, gradientScale: scale)
    return try finiteNorm(update)
  }

  /// The Euclidean norm of all gradients: the one that an update returns, to the bit.
  ///
  /// - Throws: `ModelError.memory`.
  /// - Complexity: 2 FLOP and 4 bytes a parameter.
  public func gradientNorm() throws(ModelError) -> Double {
    let update = try PendingUpdate(AdamW(), of: self, gradients: gradients())
    update.computeNorm()
    return update.gradientNorm
  }

  func finiteNorm(_ update: PendingUpdate) throws(ModelError) -> Double {
    let norm = update.gradientNorm
    guard norm.isFinite else { throw .nonFiniteGradients(step: updateCount) }
    return norm
  }
}

/// One step of AdamW, tensor by tensor, in any order.
struct PendingUpdate {
  private let optimizer: AdamW
  private let context: ExecutionContext
  private let parameters, gradients, first, second: [Tensor]
  private let layers, channels: Int
  private let squares: Tensor
  /// The row of `squares` at which each tensor begins.
  private let firstRows: [Int]

  init(_ optimizer: AdamW, of model: Model, gradients: Arena) throws(ModelError) {
    let moments = try model.optimizerMoments()
    self.optimizer = optimizer
    context = model.context
    parameters = model.parameters.tensors
    self.gradients = gradients.tensors
    (first, second) = (moments.first.tensors, moments.second.tensors)
    (layers, channels) = (model.configuration.layers, model.configuration.channels)
    squares = try model.gradientSquareMemory()
    var row = 0
    var rows: [Int] = []
    for tensor in parameters {
      rows.append(row)
      row += tensor.count / channels
    }
    firstRows = rows
  }

  /// Rows of C elements of a tensor.
  private func work(_ tensor: Int, rows: Range<Int>, step: Int, gradientScale: Double = 1) -> Work {
    optimizer.work(
      parameters: parameters[tensor], gradients: gradients[tensor], firstMoment: first[tensor],
      secondMoment: second[tensor], range: rows.lowerBound * channels..<rows.upperBound * channels,
      unit: channels, squares: squares.slice(firstRows[tensor]..<squares.count), step: step,
      gradientScale: gradientScale, context: context)
  }

  private func rowCount(_ tensor: Int) -> Int { parameters[tensor].count / channels }

  /// Makes `gradientNorm` that of the gradients before any update.
  func computeNorm() {
    context.hide(
      gradients.indices.map {
        AdamW.normWork(
          of: gradients[$0], unit: channels, squares: squares.slice(firstRows[$0]..<squares.count),
          context: context)
      })
    context.finishHidden()
  }

  func takeAll(step: Int, gradientScale: Double) {
    context.hide(
      parameters.indices.map {
        work($0, rows: 0..<rowCount($0), step: step, gradientScale: gradientScale)
      })
    context.finishHidden()
  }

  /// Hides the update of the tensors that have layers, for one of these.
  func hideLayer(_ layer: Int, step: Int) {
    context.hide(
      parameters.indices.filter { Self.hasLayers(parameters[$0]) }.map { tensor in
        let count = rowCount(tensor) / layers
        return work(tensor, rows: layer * count..<(layer + 1) * count, step: step)
      })
  }

  /// Hides the update of the token embedding but for the rows in `tokens`, whose gradients the encoder still adds to.
  func hideTokenEmbedding(without tokens: [Int32], step: Int) {
    var works: [Work] = []
    var start = 0
    for token in Set(tokens).sorted().map({ Int($0) }) + [rowCount(0)] {
      if token > start { works.append(work(0, rows: start..<token, step: step)) }
      start = token + 1
    }
    context.hide(works)
  }

  /// Takes what the calls above left out, and everything still hidden.
  func finish(tokens: [Int32], step: Int) {
    context.hide(Set(tokens).sorted().map { work(0, rows: Int($0)..<Int($0) + 1, step: step) })
    context.hide(
      parameters.indices.dropFirst().filter { !Self.hasLayers(parameters[$0]) }.map {
        work($0, rows: 0..<rowCount($0), step: step)
      })
    context.finishHidden()
  }

  private static func hasLayers(_ tensor: Tensor) -> Bool {
    !["wte", "wpe", "lnfw", "lnfb"].contains(tensor.name)
  }

  /// The Euclidean norm of all gradients, before scaling.
  var gradientNorm: Double { AdamW.root(squares) }
}
