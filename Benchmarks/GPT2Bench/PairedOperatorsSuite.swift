import GPT2
import Machine
import Operators

/// The operands in bfloat16 of the operators that have some.
private struct PairedOperatorTensors {
  let y, activated, dout, dhidden, qkv, dqkv, att, datt: Matrix
  /// In float16.
  let hidden: Matrix
  let weight: PairedMatrix

  init(_ tensors: OperatorTensors, context: ExecutionContext) throws {
    let names = ["y", "activated", "dout", "dhidden", "qkv", "dqkv", "att", "datt"]
    let (single, fcprojw) = (names.map { tensors.matrix($0) }, tensors.matrix("fcprojw"))
    let counts =
      single.map { $0.rows * $0.columns } + [PairedMatrix.count(rows: fcprojw.rows, columns: fcprojw.columns)]
    let kept = tensors.matrix("hidden")
    let entries = zip(names + ["fcprojw"], counts).map {
      Arena.Entry(name: $0.0, shape: [$0.1], elementType: .bfloat16)
    }
    let half = Arena.Entry(name: "hidden", shape: [kept.rows * kept.columns], elementType: .float16)
    let paired = try Arena(entries + [half], what: "the arena of the operands in bfloat16").tensors
    let matrices = zip(single, paired).map { single, tensor in
      let matrix = tensor.matrix(columns: single.columns)
      OperandLayout.round(single, y: matrix, context: context)
      return matrix
    }
    (y, activated, dout, dhidden) = (matrices[0], matrices[1], matrices[2], matrices[3])
    (qkv, dqkv, att, datt) = (matrices[4], matrices[5], matrices[6], matrices[7])
    weight = PairedMatrix(paired[8], rows: fcprojw.rows, columns: fcprojw.columns)
    OperandLayout.layOut(fcprojw, y: weight, context: context)
    hidden = paired[9].matrix(columns: kept.columns)
    Conversion.forward(kept.flat, y: hidden.flat, context: context)
  }
}

extension Session {
  /// The cases of a step in bfloat16: those that read or write operands in place of float32's, and the others.
  func pairedCases(_ cases: [OperatorCase], _ tensors: OperatorTensors) throws -> [OperatorCase] {
    let paired = try PairedOperatorTensors(tensors, context: context)
    let own = pairedElementwise(tensors, paired).merging(pairedProducts(tensors, paired)) { $1 }
    return cases.map { single in
      guard let (cost, run) = own[single.name] else { return single }
      return OperatorCase(name: single.name, cost: cost, run: run, plain: single.plain)
    }
  }

  private func pairedElementwise(
    _ tensors: OperatorTensors, _ paired: PairedOperatorTensors
  ) -> [String: (cost: Cost, run: () -> Void)] {
    let (context, count) = (context, Double(rows * configuration.channels))
    return [
      // Reads 4 bytes an element and writes 2.
      "layer norm forward": (
        .either(flop: 8 * count, bytes: 6 * count),
        {
          LayerNorm.forward(
            tensors.matrix("x"), weight: tensors["weight"], bias: tensors["bias"], epsilon: 1e-5, y: paired.y,
            mean: tensors["mean"], rstd: tensors["rstd"], context: context)
        }
      ),
      "gelu forward": (
        .either(flop: 30 * 4 * count, bytes: 4 * 4 * count),
        {
          Activation.gelu.forward(paired.hidden.tensor, y: paired.activated.tensor, context: context)
        }
      ),
    ]
  }

  private func pairedProducts(
    _ tensors: OperatorTensors, _ paired: PairedOperatorTensors
  ) -> [String: (cost: Cost, run: () -> Void)] {
    let (context, shape, channels) = (context, attentionShape, configuration.channels)
    let (count, product) = (Double(rows * channels), attentionProduct)
    return [
      // Reads float16, writes the gradient in float32 and as an operand.
      "dinput with gelu slope": (
        .either(flop: 4 * count * Double(2 * channels + 40), bytes: 8 * 4 * count, of: .bfloat16),
        {
          context.perform(
            GEMM.work(
              paired.dout, .panels(paired.weight), into: tensors.matrix("dhidden"),
              epilogue: .slope(.gelu, input: paired.hidden), rounded: paired.dhidden,
              context: context))
        }
      ),
      "attention forward": (
        .either(flop: 2 * product, bytes: 8 * count, of: .bfloat16),
        {
          Attention.forward(
            paired.qkv, shape: shape, sums: tensors.matrix("att"), out: paired.att,
            logSumExp: tensors["attLSE"], context: context)
        }
      ),
      "attention backward": (
        .either(flop: 5 * product, bytes: 16 * count, of: .bfloat16),
        {
          Attention.backward(
            paired.datt, qkv: paired.qkv, out: paired.att, logSumExp: tensors["attLSE"], shape: shape,
            sums: tensors.matrix("dqkv"), dqkv: paired.dqkv, context: context)
        }
      ),
    ]
  }
}
