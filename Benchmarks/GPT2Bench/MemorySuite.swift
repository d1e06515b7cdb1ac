import GPT2
import JSON
import Machine
import Operators
import Terminal

extension Session {
  /// What every tensor takes in a step for this model, B and T, and how long all threads take to read it.
  func memorySection() throws -> Section {
    let model = try model()
    let (inputs, targets) = (tokens(seed: 1), tokens(seed: 2))
    // Pages of moments that no update has written are all one page of zeros, read from the caches.
    try model.train(
      inputs, targets: targets, batchSize: settings.batchSize, sequenceLength: settings.sequenceLength,
      optimizer: AdamW())
    let (first, second) = try model.optimizerMoments()
    let arenas = [
      ("parameters", model.parameters), ("gradients", try model.gradients()), ("first moments", first),
      ("second moments", second),
    ]
    let activations = model.activations?.tensors ?? []
    var wholes = arenas.map { Region(name: $0.0, parts: [$0.1.all], isWhole: true) }
    wholes.append(Region(name: "activations", parts: activations, isWhole: true))
    wholes.append(
      Region(name: "activations' gradients", parts: [model.workspace.backwardMemory].compactMap(\.self)))
    let laidOut = model.network.laidOutTensors
    if !laidOut.isEmpty { wholes.append(Region(name: "weights in bf16", parts: laidOut, isWhole: true)) }
    let all = Region(name: "all tensors", parts: wholes.flatMap(\.parts), isWhole: true)
    let regions =
      [all] + wholes
      + folded("parameters", model.parameters.tensors.map { ($0.name, $0.parts) }, of: all.byteCount)
      + folded("activations", activations.map { ($0.name, [$0]) }, of: all.byteCount)
    let timings = rotate(
      "memory", regions.map { region in { [context] in read(region.parts, context) } })
    let rows = zip(regions, timings).map { row($0, of: all.byteCount, $1) }
    return Section(
      title: "memory", columns: ["shape", "MiB", "% of all"] + (hasNodes ? ["% of nodes"] : []),
      rows: { rows },
      notes: [
        "gradients and moments have the tensors of the parameters; beside all of these, threads have a few megabytes of "
          + "scratch"
      ])
  }

  private var hasNodes: Bool { Placement.nodes.count > 1 }

  /// "50 50": which share of the touched pages each node has.
  private func nodeText(_ region: Region) -> String {
    guard let pages = region.pagesOfNodes else { return "" }
    let sum = max(1, pages.values.reduce(0, +))
    return Placement.nodes.map { "\((100 * (pages[$0] ?? 0) + sum / 2) / sum)" }.joined(separator: " ")
  }

  /// Which node has how many pages; none where the kernel has no NUMA.
  private func nodeFields(_ region: Region) -> [(String, JSONText)] {
    guard let pages = region.pagesOfNodes else { return [] }
    return [
      ("pages", .object(pages.sorted { $0.key < $1.key }.map { ("node\($0.key)", .integer($0.value)) }))
    ]
  }

  /// Tensors, of which those below a hundredth of all are printed as one.
  private func folded(_ owner: String, _ tensors: [(name: String, parts: [Tensor])], of total: Int)
    -> [Region]
  {
    var regions = tensors.map { Region(name: "\(owner) \($0.name)", parts: $0.parts) }
    for index in regions.indices { regions[index].isFolded = regions[index].byteCount < total / 100 }
    let small = regions.filter(\.isFolded)
    guard !small.isEmpty else { return regions }
    let name = "\(owner), \(NumberText.count(small.count, "small tensor"))"
    return regions + [Region(name: name, parts: small.flatMap(\.parts), isFold: true)]
  }

  private func row(_ region: Region, of total: Int, _ timing: Timing) -> Row {
    let bytes = region.byteCount
    let shape = (region.parts.count > 1 ? [region.parts.count] : []) + region.parts[0].shape
    return Row(
      suite: .memory, name: region.name, timing: timing, cost: .traffic(Double(bytes)),
      fields: [("bytes", .integer(bytes))] + nodeFields(region),
      cells: [
        .text(region.isWhole || region.isFold ? "" : shape.map { "\($0)" }.joined(separator: "×")),
        .number(Double(bytes) / 0x1p20), .number(100 * Double(bytes) / Double(total)),
      ] + (hasNodes ? [.text(nodeText(region))] : []), isPart: region.isFold, isFolded: region.isFolded)
  }
}

/// Memory that is read at once.
private struct Region {
  let name: String
  let parts: [Tensor]
  /// Has tensors of several shapes.
  var isWhole = false
  /// Is shown within another one.
  var isFolded = false
  /// Shows those.
  var isFold = false

  var byteCount: Int { parts.reduce(0) { $0 + $1.byteCount } }

  /// A page that two tensors share counts for both.
  var pagesOfNodes: [Int: Int]? {
    var sums: [Int: Int] = [:]
    for part in parts {
      guard let pages = part.pagesOfNodes else { return nil }
      sums.merge(pages, uniquingKeysWith: +)
    }
    return sums
  }
}

/// Reads the bytes of tensors, whatever they mean.
private func read(_ parts: [Tensor], _ context: ExecutionContext) {
  _ = Limits.read(parts.map(\.floats), context: context)
}

extension Tensor {
  fileprivate var byteCount: Int { count * elementType.byteCount }

  /// Its bytes as whole numbers of float32, whatever they mean.
  var floats: Tensor { reinterpreted(as: .float32, shape: [byteCount / ElementType.float32.byteCount]) }
}
