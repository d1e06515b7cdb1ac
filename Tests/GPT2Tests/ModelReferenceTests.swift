import GPT2
import Operators
import Reference
import TestSupport
import Testing

/// The model against plain loops over float64, without files: sizes past every block that no vector width divides.
///
/// 393 positions (384 rows of logits in a block, 384 products in a chain), 131 queries (128 in a block), heads of 11
/// channels, a vocabulary of 301 in 307 rows. The tolerances are those of rule 3, with the plain loops in float32 in
/// PyTorch's place: they sum in one chain each, which errs more than blocks do, by a few times at these sizes.
@Suite struct ModelReferenceTests {
  private static func sizes(epsilon: Double) -> ReferenceConfiguration {
    ReferenceConfiguration(
      maximumSequenceLength: 133, vocabulary: 301, paddedVocabulary: 307, layers: 2, heads: 3, channels: 33,
      layerNormEpsilon: epsilon)
  }
  private static let batch = TestBatch(seed: 4, vocabulary: 301, batchSize: 3, sequenceLength: 131)

  private static let parameters = PlainPass.parameters(sizes(epsilon: 1e-5), seed: 6, deviation: 0.2)
  private static let passes: [Activation: PlainPass] = Dictionary(
    uniqueKeysWithValues: Activation.allCases.map { activation in
      (
        activation,
        PlainPass(sizes(epsilon: 1e-5), parameters: parameters, activation: activation, batch: batch)
      )
    })

  @Test(arguments: InstructionSet.available, Activation.allCases)
  func passes(_ instructionSet: InstructionSet, _ activation: Activation) throws {
    try check(instructionSet, activation, epsilon: 1e-5, try #require(Self.passes[activation]))
  }

  /// An ε that layer normalisations feel.
  @Test func anotherEpsilon() throws {
    let plain = PlainPass(
      Self.sizes(epsilon: 0.5), parameters: Self.parameters, activation: .geluErf, batch: Self.batch)
    try check(.best, .geluErf, epsilon: 0.5, plain)
  }

  private func check(
    _ instructionSet: InstructionSet, _ activation: Activation, epsilon: Double, _ plain: PlainPass
  ) throws {
    let sizes = Self.sizes(epsilon: epsilon)
    let model = try Model(
      configuration: Configuration(
        maximumSequenceLength: sizes.maximumSequenceLength, vocabularySize: sizes.vocabulary,
        paddedVocabularySize: sizes.paddedVocabulary, layers: sizes.layers, heads: sizes.heads,
        channels: sizes.channels, activation: activation, layerNormEpsilon: epsilon),
      context: ExecutionContext(threads: 2, instructionSet: instructionSet))
    for tensor in model.parameters.tensors { tensor.copy(from: try #require(Self.parameters[tensor.name])) }
    try model.forward(Self.batch)
    var trace = ["logits": try model.logits(), "loss": [try #require(model.meanLoss)]]
    try model.backward()
    for tensor in try model.gradients().tensors { trace["gradient " + tensor.name] = tensor.array() }
    #expect(trace.count == 18 && plain.exact.count == 18)
    let tolerances = try float32Tolerances(exact: plain.exact, float32: plain.float32)
    for (name, values) in trace {
      let difference = try maximumDifference(values, plain.exact[name, default: []])
      let allowed = tolerances[name, default: 0]
      #expect(difference.magnitude <= allowed, "\(name): \(difference), allowed \(allowed)")
    }
    #expect(try model.paddingIsZero())
  }
}
