import Machine
import Operators

/// Judges a model by a debug state: one forward and backward pass, then ten updates on that same batch.
///
/// What is compared was computed by another engine in float32. Two right ones differ by rounding, 1e-6 to 1e-4 of a
/// tensor's largest magnitude in models of GPT-2's sizes; a wrong formula, layout or mask is off by 1e-2 and more.
/// The tolerance lies between. A bfloat16 checkpoint has weights that are off by up to 2⁻⁹ of each, against a state
/// that was made with the float32 ones: that moves logits by up to 0.009 and gradients, which pass through the
/// weights twice, by up to 0.021 of the largest in the reference cases, hence wider ones; float16 weights, of three
/// bits more, are off by an eighth of that.
public struct Verification: Sendable {
  /// A tensor, its worst element, and what was allowed.
  public struct Row: Sendable {
    public let name: String
    /// max |ours − theirs|; infinite where a number is not finite.
    public let difference: Double
    public let tolerance: Double
    public var passes: Bool { difference <= tolerance }
  }

  /// The loss before an update.
  public struct Loss: Sendable {
    public let step: Int
    public let loss: Float
    /// The published one, where there is one.
    public let expected: Float?
    public let passes: Bool
  }

  /// The logits, the loss, and the sixteen gradients.
  public let rows: [Row]
  /// The losses of ten updates.
  public let losses: [Loss]

  /// The names of what is off.
  public var failures: [String] {
    rows.filter { !$0.passes }.map(\.name)
      + losses.filter { !$0.passes }.map { "the loss of step \($0.step)" }
  }

  /// As llm.c's test: learning rate 1e-4, weight decay 0.01.
  public static let optimizer = AdamW(learningRate: 1e-4, weightDecay: 0.01)

  /// The losses of GPT-2 124M on the batch of llm.c's gpt2_124M_debug_state.bin.
  ///
  /// - SeeAlso: github.com/karpathy/llm.c, test_gpt2.c, `expected_losses`.
  public static let publishedLosses: [Float] = [
    5.270007133483887, 4.059706687927246, 3.3751230239868164, 2.8007826805114746, 2.315382242202759,
    1.8490285873413086, 1.3946564197540283, 0.9991465210914612, 0.6240804195404053, 0.37651097774505615,
  ]
  /// How far from `publishedLosses` a loss may be, as in llm.c's test.
  public static let publishedTolerance: Float = 1e-2

  /// A row's tolerance as a part of its tensor's largest magnitude.
  public struct Tolerance: Sendable {
    /// Of the logits and the loss.
    public let forward: Double
    public let gradients: Double

    /// For a debug state that was made with float32 weights.
    public init(_ precision: Precision) {
      switch precision {
      case .float32: (forward, gradients) = (1e-3, 1e-3)
      case .bfloat16: (forward, gradients) = (0x1p-6, 0x1p-4)
      case .float16: (forward, gradients) = (0x1p-9, 0x1p-7)
      }
    }
  }

  /// Runs both. The model is trained by it: throw it away afterwards.
  ///
  /// - Throws: `ModelError`.
  public init(of model: Model, against state: DebugState, tolerance: Tolerance) throws(ModelError) {
    try Self.forward(model, state)
    // Before backward, which leaves the gradient of the logits in their place.
    let logits = Self.logits(model, positions: state.batchSize * state.sequenceLength)
    let loss = [model.meanLoss ?? .nan]
    var rows = [
      Row(name: "logits", logits.span, state.logits, relativeTolerance: tolerance.forward),
      Row(name: "loss", loss.span, [state.loss], relativeTolerance: tolerance.forward),
    ]
    model.zeroGradients()
    try model.backward()
    for gradient in try model.gradients().tensors {
      let expected = state.gradients[gradient.name] ?? []
      rows.append(
        Row(
          name: "d" + gradient.name, gradient.array().span, expected, relativeTolerance: tolerance.gradients))
    }
    self.rows = rows
    losses = try Self.train(model, state)
  }

  private static func forward(_ model: Model, _ state: DebugState) throws(ModelError) {
    try model.forward(
      state.inputs, targets: state.targets, batchSize: state.batchSize, sequenceLength: state.sequenceLength)
  }

  /// The (B, T, V) logits, without the padding of the vocabulary.
  private static func logits(_ model: Model, positions: Int) -> [Float] {
    guard let all = model.activations?["logits"] else { preconditionFailure("a forward pass comes first") }
    let (used, padded) = (model.configuration.vocabularySize, model.configuration.paddedVocabularySize)
    return (0..<positions).flatMap { all.slice($0 * padded..<$0 * padded + used).array() }
  }

  private static func train(_ model: Model, _ state: DebugState) throws(ModelError) -> [Loss] {
    var losses: [Loss] = []
    var published: [Float]?
    for step in publishedLosses.indices {
      try forward(model, state)
      let loss = model.meanLoss ?? .nan
      if step == 0, isPublished(model.configuration, firstLoss: loss) { published = publishedLosses }
      let passes =
        if let published {
          abs(loss - published[step]) <= publishedTolerance
        } else {
          loss.isFinite && losses.last.map { loss < $0.loss } ?? true
        }
      losses.append(Loss(step: step, loss: loss, expected: published?[step], passes: passes))
      // Beyond a loss that is not finite there is nothing to compute.
      guard loss.isFinite else { break }
      model.zeroGradients()
      try model.backward()
      try model.update(optimizer)
    }
    return losses
  }

  private static func isPublished(_ configuration: Configuration, firstLoss: Float) -> Bool {
    guard let preset = try? Configuration.preset(named: "gpt2-124M") else { return false }
    return configuration.layers == preset.layers && configuration.heads == preset.heads
      && configuration.channels == preset.channels && configuration.vocabularySize == preset.vocabularySize
      && abs(firstLoss - publishedLosses[0]) <= publishedTolerance
  }
}

extension Verification.Row {
  fileprivate init(name: String, _ ours: Span<Float>, _ theirs: [Float], relativeTolerance: Double) {
    self.name = name
    var (difference, largest) = (0.0, 0.0)
    guard ours.count == theirs.count else {
      preconditionFailure("\(name): \(ours.count) and \(theirs.count) elements")
    }
    for index in ours.indices {
      let magnitude = abs(Double(ours[index]) - Double(theirs[index]))
      difference = magnitude.isFinite ? max(difference, magnitude) : .infinity
      if theirs[index].isFinite { largest = max(largest, abs(Double(theirs[index]))) }
    }
    self.difference = difference
    tolerance = relativeTolerance * largest
  }
}
