import GPT2
import JSON
import Machine
import Operators
import Terminal

extension Session {
  /// What every tensor takes for this model, B and T, and how long all threads take to read it.
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
    var regions = arenas.map { (name: $0.0, parts: [$0.1.all], isWhole: true) }
    regions.append((name: "activations", parts: activations, isWhole: true))
    regions += model.parameters.tensors.map {
      (name: "parameters \($0.name)", parts: $0.parts, isWhole: false)
    }
    regions += activations.map { (name: "activations \($0.name)", parts: [$0], isWhole: false) }
    let timings = rotate(
      "memory", regions.map { region in { [context] in read(region.parts, context) } })
    let rows = zip(regions, timings).map { row($0.name, $0.parts, $0.isWhole, $1) }
    let total = regions.filter(\.isWhole).reduce(0) { $0 + byteCount($1.parts) }
    return Section(
      title: "memory", columns: ["shape", "MiB", "% of all"],
      rows: { rows.map { share($0, of: total) } },
      notes: [
        "\(NumberText.mebibytes(total)) in all, and the gradients that pass from layer to layer; gradients and moments have the "
          + "tensors of the parameters"
      ])
  }

  private func row(_ name: String, _ parts: [Tensor], _ isWhole: Bool, _ timing: Timing) -> Row {
    let bytes = byteCount(parts)
    let shape = (parts.count > 1 ? [parts.count] : []) + parts[0].shape
    return Row(
      suite: .memory, name: name, timing: timing, cost: .traffic(Double(bytes)),
      fields: [("bytes", .integer(bytes))],
      cells: [isWhole ? "" : shape.map { "\($0)" }.joined(separator: "×")])
  }
}

private func byteCount(_ parts: [Tensor]) -> Int {
  parts.reduce(0) { $0 + $1.count * MemoryLayout<Float>.stride }
}

private func read(_ parts: [Tensor], _ context: ExecutionContext) {
  _ = Limits.read(parts, context: context)
}

private func share(_ row: Row, of total: Int) -> Row {
  guard case .traffic(let bytes) = row.cost else { return row }
  var row = row
  row.cells += [NumberText.significant(bytes / 0x1p20), NumberText.significant(100 * bytes / Double(total))]
  return row
}
