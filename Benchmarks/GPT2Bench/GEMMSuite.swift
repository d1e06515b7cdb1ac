import GPT2
import JSON
import Machine
import Operators

/// A linear layer of the model: y(M, N) = x(M, K)·Wᵀ.
private struct Layer {
  let name: String
  let outputs: Int
  let inputs: Int
  /// Floats between rows of y: the logits have padding.
  let rowStride: Int
  let hasBias: Bool

  init(_ name: String, outputs: Int, inputs: Int, rowStride: Int? = nil, hasBias: Bool = true) {
    (self.name, self.outputs, self.inputs) = (name, outputs, inputs)
    self.rowStride = rowStride ?? outputs
    self.hasBias = hasBias
  }

  static func all(_ configuration: Configuration) -> [Layer] {
    let channels = configuration.channels
    return [
      Layer("qkv", outputs: 3 * channels, inputs: channels),
      Layer("attproj", outputs: channels, inputs: channels),
      Layer("fc", outputs: 4 * channels, inputs: channels),
      Layer("fcproj", outputs: channels, inputs: 4 * channels),
      Layer(
        "LM head", outputs: configuration.vocabularySize, inputs: channels,
        rowStride: configuration.paddedVocabularySize, hasBias: false),
    ]
  }
}

/// A layer's operands.
private struct Operands {
  let layer: Layer
  /// y becomes dout of the passes back.
  let x, weight, y, dx, dweight: Matrix
  let bias: Tensor?

  init(_ layer: Layer, rows: Int, arena: Arena) {
    self.layer = layer
    func tensor(_ name: String) -> Tensor {
      guard let tensor = arena["\(layer.name) \(name)"] else { preconditionFailure("no \(name)") }
      return tensor
    }
    (x, weight, dx, dweight) = (
      tensor("x").matrix(), tensor("weight").matrix(), tensor("dx").matrix(), tensor("dweight").matrix()
    )
    y = Matrix(tensor("y"), rows: rows, columns: layer.outputs, rowStride: layer.rowStride)
    bias = layer.hasBias ? tensor("bias") : nil
  }

  static func entries(_ layer: Layer, rows: Int) -> [Arena.Entry] {
    let weight = [layer.outputs, layer.inputs]
    let shapes = [
      ("x", [rows, layer.inputs]), ("weight", weight), ("bias", [layer.outputs]),
      ("y", [rows, layer.rowStride]),
      ("dx", [rows, layer.inputs]), ("dweight", weight),
    ]
    return shapes.map { Arena.Entry(name: "\(layer.name) \($0.0)", shape: $0.1) }
  }

  func run(_ pass: Pass, _ context: ExecutionContext) {
    switch pass {
    case .forward: Linear.forward(x, weight: weight, bias: bias, y: y, context: context)
    case .dinput: context.perform(GEMM.work(y, weight, into: dx, context: context))
    case .dweight: context.perform(GEMM.work(y.transposed, x, into: dweight, context: context))
    }
  }
}

/// The same in bfloat16: x, the gradient of y, and the weight as both passes read it. Results are float32.
private struct PairedOperands {
  let single: Operands
  let x, dout: Matrix
  let forwardWeight, backwardWeight: PairedMatrix

  init(_ single: Operands, _ order: PairedOrder, context: ExecutionContext) throws {
    self.single = single
    let (rows, layer) = (single.x.rows, single.layer)
    let sizes = [
      ("x", rows * layer.inputs), ("dout", rows * layer.rowStride),
      ("forward", PairedMatrix.count(rows: layer.inputs, columns: layer.outputs)),
      ("backward", PairedMatrix.count(rows: layer.outputs, columns: layer.inputs)),
    ]
    let tensors = try Arena(
      sizes.map { Arena.Entry(name: $0.0, shape: [$0.1], elementType: .bfloat16) },
      what: "the arena of the operands in bfloat16"
    ).tensors
    x = Matrix(tensors[0], rows: rows, columns: layer.inputs)
    dout = Matrix(tensors[1], rows: rows, columns: layer.outputs, rowStride: layer.rowStride)
    forwardWeight = PairedMatrix(tensors[2], rows: layer.inputs, columns: layer.outputs, order: order)
    backwardWeight = PairedMatrix(tensors[3], rows: layer.outputs, columns: layer.inputs, order: order)
    OperandLayout.round(single.x, y: x, context: context)
    OperandLayout.round(single.y, y: dout, context: context)
    OperandLayout.layOut(single.weight.transposed, y: forwardWeight, context: context)
    OperandLayout.layOut(single.weight, y: backwardWeight, context: context)
  }

  func run(_ pass: Pass, _ context: ExecutionContext) {
    switch pass {
    case .forward:
      Linear.forward(x, weight: .panels(forwardWeight), bias: single.bias, y: single.y, context: context)
    case .dinput:
      context.perform(GEMM.work(dout, .panels(backwardWeight), into: single.dx, context: context))
    case .dweight:
      context.perform(
        GEMM.work(
          dout.transposed, .rows(x, backwardWeight.order), into: single.dweight, context: context))
    }
  }
}

/// The passes as `Linear` runs them; its backward pass has the last two in one parallel region, with the bias.
private enum Pass: String, CaseIterable {
  case forward, dinput, dweight
}

extension Session {
  /// Every layer has tensors of its own and the rows take turns, so weights come from memory as they do in a step.
  func gemmSection() throws -> Section {
    let layers = Layer.all(configuration)
    let arena = try gemmArena()
    for tensor in arena.tensors { randomize(tensor, scale: 0.1) }
    let operands = layers.map { Operands($0, rows: rows, arena: arena) }
    let run: [(Pass) -> Void] =
      switch settings.precision.pairedOrder {
      case nil: operands.map { operands in { [context] in operands.run($0, context) } }
      case .some(let order):
        try operands.map {
          let paired = try PairedOperands($0, order, context: context)
          return { [context] in paired.run($0, context) }
        }
      }
    let cases = zip(layers, run).flatMap { layer, run in Pass.allCases.map { (layer, $0, run) } }
    let (timings, sum) = rotateSummed("gemm", cases.map { _, pass, run in { run(pass) } })
    let results = zip(cases, timings).map { row($0.0, $0.1, $1) }
    let all = [total(results, sum)] + results
    return Section(title: "gemm", columns: ["M", "N", "K"], rows: { all }, notes: pairedNotes)
  }

  func gemmArena() throws -> Arena {
    try Arena(
      Layer.all(configuration).flatMap { Operands.entries($0, rows: rows) },
      what: "the arena of the matrix products")
  }

  /// Each product once, as Benchmarks/peers adds them up.
  private func total(_ results: [Row], _ timing: Timing) -> Row {
    let flop = results.reduce(0.0) { sum, row in
      if case .arithmetic(let flop, _) = row.cost { sum + flop } else { sum }
    }
    return Row(
      suite: .gemm, name: "all products", timing: timing,
      cost: .arithmetic(flop, settings.precision.arithmetic), cells: ["", "", ""], isPart: true)
  }

  private func row(_ layer: Layer, _ pass: Pass, _ timing: Timing) -> Row {
    let (m, n, k) = (rows, layer.outputs, layer.inputs)
    // A multiplication and an addition for each of M·N·K triples, whatever the pass.
    let flop = 2 * Double(m) * Double(n) * Double(k)
    return Row(
      suite: .gemm, name: "\(layer.name) \(pass.rawValue)", timing: timing,
      cost: .arithmetic(flop, settings.precision.arithmetic),
      fields: [
        ("m", .integer(m)), ("n", .integer(n)), ("k", .integer(k)), ("pass", .text(pass.rawValue)),
        ("precision", .text(settings.precision.rawValue)), ("flop", .double(flop)),
        ("bytes", .double(bytes(m, n, k, pass))),
      ],
      cells: ["\(m)", "\(n)", "\(k)"])
  }

  /// Both operands once from memory, and the result, which is float32, once to it.
  private func bytes(_ m: Int, _ n: Int, _ k: Int, _ pass: Pass) -> Double {
    let sizes = (y: m * n, x: m * k, weight: n * k)
    let (operands, result) =
      switch pass {
      case .forward: (sizes.x + sizes.weight, sizes.y)
      case .dinput: (sizes.y + sizes.weight, sizes.x)
      case .dweight: (sizes.y + sizes.x, sizes.weight)
      }
    return Double(operands * (settings.precision == .fp32 ? 4 : 2) + 4 * result)
  }
}
