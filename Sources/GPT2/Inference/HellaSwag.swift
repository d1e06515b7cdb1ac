import Machine
import Operators
import Tokens

/// How often a model holds the right one of several completions for the likeliest.
///
/// As llm.c scores it: a completion's loss is the mean over its tokens, and the least loss wins, the first of equals.
///
/// - SeeAlso: github.com/karpathy/llm.c, `evalloader_stat_losses`.
public struct HellaSwag: Sendable, Equatable {
  /// Examples so far, and those answered right.
  public private(set) var examples = 0
  public private(set) var right = 0

  public var accuracy: Double { Double(right) / Double(max(1, examples)) }

  public init() {}

  /// Checks that a model takes all examples of a file.
  ///
  /// - Throws: `EvaluationError`: one longer than the context, a token outside the vocabulary.
  public static func check(_ file: HellaSwagFile, for configuration: Configuration) throws(EvaluationError) {
    for (index, example) in file.examples.enumerated() {
      guard example.inputCount <= configuration.maximumSequenceLength else {
        throw .exampleTooLong(
          path: file.path, index: index, tokens: example.inputCount,
          context: configuration.maximumSequenceLength)
      }
      for token in example.context + example.completions.joined()
      where !(0..<Int32(configuration.vocabularySize)).contains(token) {
        throw .exampleOutside(
          path: file.path, index: index, token: token, vocabularySize: configuration.vocabularySize)
      }
    }
  }

  /// Adds an example.
  ///
  /// - Returns: the mean loss of each completion.
  /// - Throws: `ModelError`: an example that `check` refuses, memory, losses that are not finite.
  @discardableResult
  public mutating func add(
    _ example: HellaSwagExample, network: Network, in workspace: Workspace
  ) throws(ModelError) -> [Double] {
    let losses = try Self.losses(example, network, workspace)
    var best = 0
    for index in losses.indices where losses[index] < losses[best] { best = index }
    examples += 1
    if best == example.label { right += 1 }
    return losses
  }

  /// All completions as one batch. What fills up the shorter ones comes after all that counts.
  private static func losses(
    _ example: HellaSwagExample, _ network: Network, _ workspace: Workspace
  ) throws(ModelError) -> [Double] {
    let (first, length) = (example.context.count - 1, example.inputCount)
    var (inputs, targets): ([Int32], [Int32]) = ([], [])
    for completion in example.completions {
      let tokens = example.context + completion
      let filling = [Int32](repeating: 0, count: length + 1 - tokens.count)
      inputs += (tokens + filling).dropLast()
      targets += (tokens + filling).dropFirst()
    }
    let losses = try network.losses(
      Batch(
        inputs, targets: targets, batchSize: example.completions.count, sequenceLength: length,
        for: network.configuration), in: workspace)
    var means: [Double] = []
    for (row, completion) in example.completions.enumerated() {
      var sum = 0.0
      for position in first..<first + completion.count { sum += Double(losses[row * length + position]) }
      guard sum.isFinite else { throw .nonFiniteLoss(Float(sum)) }
      means.append(sum / Double(completion.count))
    }
    return means
  }
}
