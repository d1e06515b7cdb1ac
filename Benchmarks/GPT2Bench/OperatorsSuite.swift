import GPT2
import JSON
import Machine
import Operators
import Terminal

/// One operator in one direction at the model's sizes.
struct OperatorCase {
  let name: String
  let cost: Cost
  let run: () -> Void
  let plain: PlainLoops
}

/// The tensors that the operators of one block, the loss and the update work on.
struct OperatorTensors {
  private let arena: Arena

  /// Parameters of the update: all, or as many as exceed the caches where the model is larger.
  let parameterCount: Int

  /// Nothing in it is touched yet.
  static func arena(_ session: Session) throws -> Arena {
    let configuration = session.configuration
    let (rows, channels) = (session.rows, configuration.channels)
    let parameterCount = parameterCount(session)
    let stream = ["x", "y", "dout", "dx", "att", "datt"].map { ($0, [rows, channels]) }
    let wide = ["hidden", "activated", "dhidden"].map { ($0, [rows, 4 * channels]) }
    let vectors = ["weight", "bias", "dweight", "dbias"].map { ($0, [channels]) }
    let perRow = ["mean", "rstd", "losses", "logitsLSE"].map { ($0, [rows]) }
    let update = ["parameters", "gradients", "firstMoment", "secondMoment"].map { ($0, [parameterCount]) }
    let others = [
      ("qkv", [rows, 3 * channels]), ("dqkv", [rows, 3 * channels]), ("attLSE", [rows, configuration.heads]),
      ("wte", [configuration.paddedVocabularySize, channels]),
      ("dwte", [configuration.paddedVocabularySize, channels]),
      ("wpe", [configuration.maximumSequenceLength, channels]),
      ("dwpe", [configuration.maximumSequenceLength, channels]),
      ("logits", [rows, configuration.paddedVocabularySize]), ("fcprojw", [channels, 4 * channels]),
    ]
    let shapes = stream + wide + vectors + perRow + update + others
    return try Arena(shapes.map { .init(name: $0.0, shape: $0.1) }, what: "the arena of the operators")
  }

  private static func parameterCount(_ session: Session) -> Int {
    min(session.configuration.parameterCount, session.peak.streamingCount)
  }

  init(_ session: Session) throws {
    let configuration = session.configuration
    let (rows, channels) = (session.rows, configuration.channels)
    parameterCount = Self.parameterCount(session)
    arena = try Self.arena(session)
    for tensor in arena.tensors { session.randomize(tensor) }
    // A second moment is a mean of squares.
    Residual.zero(self["secondMoment"], context: session.context)
    try session.context.reserve(
      sequenceLength: session.settings.sequenceLength,
      sharedCount: max(
        LayerNorm.sharedScratchCount(rows: rows, channels: channels),
        Attention.sharedScratchCount(shape: session.attentionShape)))
  }

  subscript(_ name: String) -> Tensor {
    guard let tensor = arena[name] else { preconditionFailure("no operand is named \(name)") }
    return tensor
  }

  func matrix(_ name: String) -> Matrix { self[name].matrix() }
}

extension Session {
  func operatorsSection() throws -> Section {
    let tensors = try OperatorTensors(self)
    let single =
      normCases(tensors) + activationCases(tensors) + attentionCases(tensors) + (try lossCases(tensors))
      + (try encoderCases(tensors)) + streamCases(tensors)
    let cases = settings.precision == .fp32 ? single : try pairedCases(single, tensors)
    let timings = rotate("operators", cases.map(\.run))
    let rows = zip(cases, timings).map { operatorCase, timing in
      Console.showProgress("plain loops: \(operatorCase.name)")
      let plain = operatorCase.plain.fullMilliseconds()
      let ratio = plain / timing.median
      return Row(
        suite: .operators, name: operatorCase.name, timing: timing, cost: operatorCase.cost,
        fields: [("times_plain_loops", .double(ratio))] + operatorCase.cost.fields, cells: [.number(ratio)])
    }
    return Section(
      title: "operators", columns: ["× plain"], rows: { rows },
      notes: [
        "× plain: the time of the readable reference in float on one thread, measured at a reduced size and scaled "
          + "to this one, over ours"
      ] + (settings.precision != .fp32 ? [peak.pairedNote].compactMap(\.self) : []))
  }

  var attentionShape: AttentionShape {
    AttentionShape(
      batchSize: settings.batchSize, sequenceLength: settings.sequenceLength, heads: configuration.heads,
      channels: configuration.channels)
  }

  /// C multiply-adds for each of T(T+1)/2 pairs of a query and a key: one of attention's products.
  var attentionProduct: Double {
    let (batch, sequence) = (Double(settings.batchSize), Double(settings.sequenceLength))
    return batch * Double(configuration.channels) * sequence * (sequence + 1)
  }

  private var channels: Int { configuration.channels }

  private func boundedTokens(seed: UInt64) throws -> BoundedIntegers {
    try BoundedIntegers(tokens(seed: seed), below: configuration.vocabularySize)
  }

  /// A cost of so many FLOP and bytes for each of `count` elements.
  private func cost(_ count: Int, flop: Double, bytes: Double) -> Cost {
    .either(flop: Double(count) * flop, bytes: Double(count) * bytes)
  }

  private func normCases(_ tensors: OperatorTensors) -> [OperatorCase] {
    let (context, rows, channels) = (context, rows, channels)
    let plain = PlainNorm(rows: rows, channels: channels)
    return [
      OperatorCase(
        // Reads x, writes y.
        name: "layer norm forward", cost: cost(rows * channels, flop: 8, bytes: 8),
        run: {
          LayerNorm.forward(
            tensors.matrix("x"), weight: tensors["weight"], bias: tensors["bias"], epsilon: 1e-5,
            y: tensors.matrix("y"), mean: tensors["mean"], rstd: tensors["rstd"], context: context)
        }, plain: plain.forward),
      OperatorCase(
        // Reads dout, x and dx, writes dx.
        name: "layer norm backward", cost: cost(rows * channels, flop: 16, bytes: 16),
        run: {
          LayerNorm.backward(
            tensors.matrix("dout"), x: tensors.matrix("x"), weight: tensors["weight"], mean: tensors["mean"],
            rstd: tensors["rstd"], accumulate: false, dx: tensors.matrix("dx"), dweight: tensors["dweight"],
            dbias: tensors["dbias"], context: context)
        }, plain: plain.backward),
    ]
  }

  private func activationCases(_ tensors: OperatorTensors) -> [OperatorCase] {
    let (context, channels, count) = (context, channels, rows * 4 * channels)
    let plain = PlainActivation(rows: rows, channels: channels)
    return [
      OperatorCase(
        // Reads x, writes y.
        name: "gelu forward", cost: cost(count, flop: 30, bytes: 8),
        run: {
          Activation.gelu.forward(tensors["hidden"], y: tensors["activated"], context: context)
        }, plain: plain.forward),
      OperatorCase(
        // The slope has no pass of its own: the product before it, which the gemm suite measures without.
        name: "dinput with gelu slope",
        cost: .either(flop: Double(count) * Double(2 * channels + 40), bytes: Double(count) * 8),
        run: {
          context.perform(
            GEMM.work(
              tensors.matrix("dout"), tensors.matrix("fcprojw"), into: tensors.matrix("dhidden"),
              epilogue: .slope(.gelu, input: tensors.matrix("hidden")), context: context))
        }, plain: plain.backward),
    ]
  }

  private func attentionCases(_ tensors: OperatorTensors) -> [OperatorCase] {
    // Two products; five in the backward pass, which computes the scores again. Softmax is not counted.
    let (context, shape, product) = (context, attentionShape, attentionProduct)
    let elements = Double(rows * channels)
    let plain = PlainAttention(shape)
    return [
      OperatorCase(
        // Reads q, k and v, writes out.
        name: "attention forward", cost: .either(flop: 2 * product, bytes: 16 * elements),
        run: {
          Attention.forward(
            tensors.matrix("qkv"), shape: shape, out: tensors.matrix("att"), logSumExp: tensors["attLSE"],
            context: context)
        }, plain: plain.forward),
      OperatorCase(
        // Reads q, k, v, out and dout, writes dq, dk and dv.
        name: "attention backward", cost: .either(flop: 5 * product, bytes: 32 * elements),
        run: {
          Attention.backward(
            tensors.matrix("datt"), qkv: tensors.matrix("qkv"), out: tensors.matrix("att"),
            logSumExp: tensors["attLSE"], shape: shape, dqkv: tensors.matrix("dqkv"), context: context)
        }, plain: plain.backward),
    ]
  }

  private func lossCases(_ tensors: OperatorTensors) throws -> [OperatorCase] {
    let (context, rows, targets) = (context, rows, try boundedTokens(seed: 2))
    let (size, padded) = (configuration.vocabularySize, configuration.paddedVocabularySize)
    let logits = Matrix(tensors["logits"], rows: rows, columns: size, rowStride: padded)
    let plain = PlainLoss(rows: rows, vocabularySize: size, paddedVocabularySize: padded)
    return [
      OperatorCase(
        // Reads the logits: the second time from cache.
        name: "cross-entropy forward", cost: cost(rows * size, flop: 25, bytes: 4),
        run: {
          CrossEntropy.forward(
            logits, targets: targets, losses: tensors["losses"], logSumExp: tensors["logitsLSE"],
            context: context)
        }, plain: plain.forward),
      OperatorCase(
        // Reads the logits, writes their gradient in their place.
        name: "cross-entropy backward", cost: cost(rows * size, flop: 20, bytes: 8),
        run: {
          CrossEntropy.backward(
            logits, targets: targets, logSumExp: tensors["logitsLSE"], scale: 1 / Float(rows),
            dlogits: logits, context: context)
        }, plain: plain.backward),
    ]
  }

  private func encoderCases(_ tensors: OperatorTensors) throws -> [OperatorCase] {
    let (context, length, inputs) = (context, settings.sequenceLength, try boundedTokens(seed: 1))
    let plain = PlainEncoder(rows: rows, channels: channels)
    return [
      OperatorCase(
        // Reads wte and wpe, writes out.
        name: "encoder forward", cost: cost(rows * channels, flop: 1, bytes: 12),
        run: {
          Encoder.forward(
            inputs, wte: tensors.matrix("wte"), wpe: tensors.matrix("wpe"), sequenceLength: length,
            out: tensors.matrix("x"), context: context)
        }, plain: plain.forward),
      OperatorCase(
        // Reads dout, reads and writes dwte and dwpe.
        name: "encoder backward", cost: cost(rows * channels, flop: 2, bytes: 20),
        run: {
          Encoder.backward(
            tensors.matrix("dout"), tokens: inputs, sequenceLength: length, accumulate: true,
            dwte: tensors.matrix("dwte"), dwpe: tensors.matrix("dwpe"), context: context)
        }, plain: plain.backward),
    ]
  }

  /// What only streams.
  private func streamCases(_ tensors: OperatorTensors) -> [OperatorCase] {
    let context = context
    return [
      OperatorCase(
        // Reads parameters, gradients and both moments, writes all but the gradients.
        name: "AdamW", cost: cost(tensors.parameterCount, flop: 20, bytes: 28),
        run: {
          context.perform(
            AdamW().work(
              OptimizerOperands(
                parameters: tensors["parameters"], gradients: tensors["gradients"],
                slots: [tensors["firstMoment"], tensors["secondMoment"]]),
              step: OptimizerStep(number: 1), context: context))
        }, plain: PlainStream.adamW(count: tensors.parameterCount))
    ]
  }
}

extension Cost {
  /// What both limits of the machine bound, as fields of the JSON.
  fileprivate var fields: [(String, JSONText)] {
    guard case .either(let flop, let bytes, let arithmetic) = self else { return [] }
    let precision = OperandPrecision.allCases.first { $0.arithmetic == arithmetic }
    return [
      ("precision", .text(precision?.rawValue)), ("flop", .double(flop)), ("bytes", .double(bytes)),
    ]
  }
}
