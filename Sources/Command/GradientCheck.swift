import GPT2
import Machine
import Operators
import Reference
import Terminal
import Tokens

/// `--gradient-check`: a model's gradients beside difference quotients of the loss, which plain loops compute in float64.
///
///     (loss(p + h) − loss(p − h)) / 2h      h = 10⁻⁴
///
/// The quotients are good to some 10⁻⁵ of a tensor's largest gradient, the step being small beside what GPT-2's
/// parameters are; ours in float32 to less. What is wrong is off by 10⁻² and more: the tolerances are those of
/// `Verification`.
struct GradientCheck {
  /// Parameters to compare.
  let count: Int
  /// With which probability both drop elements: those of a run's first pass.
  let dropout: Double

  private static let step = 1e-4
  /// Multiply-adds of plain loops, some minutes of them.
  private static let largestCost = 1e11

  /// One parameter.
  private struct Row {
    let parameter: String
    let index: Int
    let gradient, quotient: Double
    /// The largest magnitude among the gradients of its tensor.
    let largest: Double

    var difference: Double { abs(gradient - quotient) }
  }

  /// Refuses a model for which this would take hours.
  ///
  /// - Throws: `GradientCheckError`.
  func check(_ model: Model, _ training: DataLoader) throws(GradientCheckError) {
    let parameters = ModelText.usedParameterCount(model.configuration)
    let tokens = training.batchSize * training.sequenceLength
    let passes = 2 * Double(count) + 1
    guard passes * Double(parameters) * Double(tokens) <= Self.largestCost else {
      throw GradientCheckError(
        description: """
          --gradient-check \(count) goes through a batch \(NumberText.short(passes)) times with plain loops, which is \
          for small models and batches: \(parameters) parameters × \(tokens) tokens should be at most \
          \(NumberText.short(Self.largestCost / passes)).
          """)
    }
  }

  /// Prints a table. Changes nothing that training sees.
  ///
  /// - Throws: `GradientCheckError` where a gradient is off; `ModelError`.
  func run(_ model: Model, _ training: DataLoader, seed: UInt64) throws {
    var training = training
    try training.nextBatch()
    let batch = try Batch(
      training.inputs, targets: training.targets, batchSize: training.batchSize,
      sequenceLength: training.sequenceLength, for: model.configuration)
    let rows = try rows(model, batch, seed: seed)
    let tolerance = Verification.Tolerance(model.precision == .fp32 ? .float32 : .bfloat16).gradients
    print(rows, tolerance)
    let off = rows.filter { !($0.difference <= tolerance * $0.largest) }
    guard off.isEmpty else {
      throw GradientCheckError(
        description: """
          expected gradients within \(NumberText.short(tolerance)) of their tensor's largest of the difference \
          quotients, found \(off.count) of \(rows.count) off: \
          \(off.map { "\($0.parameter)[\($0.index)]" }.joined(separator: ", ")).
          """)
    }
  }

  private func rows(_ model: Model, _ batch: Batch, seed: UInt64) throws -> [Row] {
    let state = try model.training()
    let dropout = Dropout(probability: dropout, seed: seed, pass: 0)
    state.gradients.zero()
    let loss = try state.accumulate(
      batch, lossScale: 1, recomputation: model.recomputation, dropout: dropout, in: model.workspace)
    let gradients = try model.gradients()
    defer { state.gradients.zero() }
    guard loss.isFinite else { return [] }
    var plain = ReferenceModel<Double>(of: model)
    plain.dropout = dropout.map { ReferenceDropout(threshold: $0.threshold, seed: seed, pass: 0) }
    var generator = XorshiftGenerator(seed: seed)
    // Tensors in turn, so that few parameters see most of the operators.
    let names = gradients.tensors.map(\.name)
    return (0..<count).map { number in
      let name = names[number % names.count]
      let values = gradients[name]?.array() ?? []
      // Without the rows that pad the vocabulary, which no loss depends on.
      let used =
        name == "wte" ? model.configuration.vocabularySize * model.configuration.channels : values.count
      let index = Int(generator.next() % UInt64(used))
      let quotient = Self.quotient(&plain, name, index, batch)
      return Row(
        parameter: name, index: index, gradient: Double(values[index]), quotient: quotient,
        largest: values.reduce(0) { max($0, abs(Double($1))) })
    }
  }

  private static func quotient(
    _ plain: inout ReferenceModel<Double>, _ name: String, _ index: Int, _ batch: Batch
  ) -> Double {
    let value = plain.parameters[name]?[index] ?? .nan
    let losses = [value + step, value - step].map { moved in
      plain.parameters[name]?[index] = moved
      return plain.forward(
        batch.inputs.array, targets: batch.targets?.array ?? [], batchSize: batch.batchSize,
        sequenceLength: batch.sequenceLength
      ).loss
    }
    plain.parameters[name]?[index] = value
    return (losses[0] - losses[1]) / (2 * step)
  }

  private func print(_ rows: [Row], _ tolerance: Double) {
    let columns = ["gradient", "quotient", "difference", "tolerance"]
    Console.print("parameter".padded(to: 20) + columns.map { $0.aligned(to: 12) }.joined())
    for row in rows {
      let numbers = [row.gradient, row.quotient, row.difference, tolerance * row.largest]
      Console.print(
        "\(row.parameter)[\(row.index)]".padded(to: 20)
          + numbers.map { NumberText.scientific($0).aligned(to: 12) }.joined()
          + (row.difference <= tolerance * row.largest ? "  ok" : "  FAIL"))
    }
    Console.print()
  }
}

/// Why gradients cannot be checked, or which are off: one sentence.
struct GradientCheckError: Error, CustomStringConvertible { let description: String }

extension ReferenceModel<Double> {
  /// The same function with the same parameters.
  fileprivate init(of model: Model) {
    let configuration = model.configuration
    let activation: ReferenceGELU =
      switch model.activation {
      case .gelu: .tanh
      case .geluErf: .erf
      case .geluQuintic: .quintic
      }
    self.init(
      configuration: ReferenceConfiguration(
        maximumSequenceLength: configuration.maximumSequenceLength, vocabulary: configuration.vocabularySize,
        paddedVocabulary: configuration.paddedVocabularySize, layers: configuration.layers,
        heads: configuration.heads, channels: configuration.channels,
        layerNormEpsilon: configuration.layerNormEpsilon),
      parameters: Dictionary(
        uniqueKeysWithValues: model.parameters.tensors.map { ($0.name, $0.array().map(Double.init)) }),
      activation: activation)
  }
}
