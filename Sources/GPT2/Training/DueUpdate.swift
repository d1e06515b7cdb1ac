import Machine
import Operators

/// An update whose gradients are complete and found finite, and which has not been taken yet.
///
/// Updates are bound by memory: taken by itself, one costs its whole time; beside the products of the next forward
/// pass, in which each layer waits for its own part only, it costs a fraction of it.
final class DueUpdate {
  let queue: WorkQueue
  private let optimizer: any Optimizer
  private let network: Network
  private let gradients: ParameterTensors
  private let slots: [ParameterTensors]
  private let number: Int
  private let gradientScale: Double
  /// The place in the queue before which each layer's part ends.
  private var layerEnds: [WorkQueue.Position] = []
  /// The weights that the pass multiplies, where it lays them out.
  private var laidOut: LaidOutWeights?
  /// Whether the head's weight waits to be laid out, or is.
  private var isHeadWaiting = false

  init(
    _ optimizer: any Optimizer, of network: Network, gradients: ParameterTensors, slots: [ParameterTensors],
    number: Int, gradientScale: Double
  ) {
    self.optimizer = optimizer
    self.network = network
    queue = network.context.makeQueue()
    self.gradients = gradients
    self.slots = slots
    self.number = number
    self.gradientScale = gradientScale
  }

  /// Takes all of it at once.
  func takeAll() {
    network.context.section("update")
    network.laidOut?.areCurrent = false
    for part in network.configuration.parameterParts {
      queue.add(work(part))
    }
    takeRest()
  }

  // MARK: - On the way of a forward pass

  /// Takes what the embeddings of `tokens` need, and lets everything else wait beside the products.
  ///
  /// - Parameter laidOut: what these multiply; nil: the parameters.
  func prepareEmbeddings(of tokens: BoundedIntegers, layingOut laidOut: LaidOutWeights?) {
    let configuration = network.configuration
    self.laidOut = laidOut
    network.laidOut?.areCurrent = false
    guard optimizer.extent == .elements else {
      // Rows of the embedding by themselves would not do.
      takeAll()
      laidOut?.layOut(network.masters, context: network.context)
      isHeadWaiting = true
      layerEnds = [WorkQueue.Position](repeating: queue.end, count: configuration.layers)
      return
    }
    add(.embeddings(tokens))
    add(.layer(0))
    layerEnds = [queue.end]
    // Opened before all else is said.
    prepare(layer: 0)
    // What no layer waits for goes between the layers in equal shares, so that no product has more than it can hide.
    let others = ParameterRange.rows(
      outside: tokens, times: 4 * configuration.layers, configuration, network.context.parallel.homes)
    for layer in 1...configuration.layers {
      if layer < configuration.layers {
        add(.layer(layer))
        layerEnds.append(queue.end)
      }
      let share = others.map { ranges in
        let (start, end) = (ranges.count * (layer - 1), ranges.count * layer)
        return Array(ranges[start / configuration.layers..<end / configuration.layers])
      }
      add(ParameterRows(part: ParameterPart(.wte), ranges: share))
    }
    add(.lastNorm)
  }

  /// Takes what this layer needs.
  func prepare(layer: Int) {
    network.context.finish(queue, before: layerEnds[layer])
    // The queue has no more than these layers' products can hide.
    if layer == max(1, 2 * network.configuration.layers / 3) { layOutHead() }
  }

  /// Takes all that is left, which the head needs.
  func finish() {
    layOutHead()
    takeRest()
    laidOut?.areCurrent = true
  }

  /// Takes all that changes wte, and lets the layout of the head wait beside the products.
  private func layOutHead() {
    guard let laidOut, !isHeadWaiting else { return }
    takeRest()
    isHeadWaiting = true
    queue.add(laidOut.work(ParameterPart(.wte), of: network.masters, context: network.context))
  }

  private func takeRest() { network.context.finish(queue) }

  private func add(_ range: ParameterRange) {
    for rows in range.rows(network.configuration, network.context.parallel.homes) { add(rows) }
  }

  private func add(_ rows: ParameterRows) {
    queue.add(rows.of(workWithLayout(rows.part), row: network.configuration.channels))
  }

  /// The update of a layer's weight lays out the rows that it has just computed.
  private func workWithLayout(_ part: ParameterPart) -> Work {
    let update = work(part)
    // wte's rows come by tokens, its layout behind all of them.
    guard let laidOut, part.layer != nil, let weight = laidOut.master(part, of: network.masters) else {
      return update
    }
    return laidOut.work(part, of: network.masters, context: network.context) { rows, worker in
      update.run(rows.lowerBound * weight.columns..<rows.upperBound * weight.columns, worker: worker)
    }
  }

  private func work(_ part: ParameterPart) -> Work {
    optimizer.work(
      OptimizerOperands(
        parameters: network.masters[part], gradients: gradients[part], slots: slots.map { $0[part] }),
      step: OptimizerStep(
        number: number, gradientScale: gradientScale, decays: optimizer.decay.covers(part.parameter.role),
        role: part.parameter.role),
      context: network.context)
  }
}
