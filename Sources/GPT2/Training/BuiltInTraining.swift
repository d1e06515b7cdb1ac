import Operators
import Tokens

/// How a small model learns the sums of `BuiltInCorpus` in a minute.
public enum BuiltInTraining {
  /// B
  public static let batchSize = 16
  /// T
  public static let sequenceLength = 64

  /// The model: some 400,000 parameters.
  ///
  /// - Throws: never in practice; the sizes are constants.
  public static func configuration() throws(ConfigurationError) -> Configuration {
    try Configuration(
      maximumSequenceLength: 64, vocabularySize: BuiltInCorpus.vocabularySize, layers: 2, heads: 4,
      channels: 128)
  }

  /// The options: samples start from sums that are in no line of the training data.
  public static func options(_ corpus: BuiltInCorpus) -> TrainingOptions {
    var options = TrainingOptions()
    options.steps = 700
    options.validationInterval = 100
    options.sampleInterval = 100
    options.sampleLength = 4 * BuiltInCorpus.lineLength
    options.optimizer.learningRate = 1e-3
    options.schedule.warmupSteps = 20
    options.samplePrompts = corpus.validationSums.compactMap { BuiltInCorpus.encode($0.prompt) }
    return options
  }

  /// Makes room for `rightAnswers` to so many sums, so that a run that comes to its end has their memory.
  ///
  /// - Throws: `ModelError.memory`.
  public static func reserve(forAnswersTo count: Int, of model: Model) throws(ModelError) {
    guard count > 0 else { return }
    try model.inference.reserve(
      batchSize: count, sequenceLength: BuiltInCorpus.lineLength, retention: .nothing)
  }

  /// How many of `sums` the model answers right, with the likeliest token at every position.
  ///
  /// - Precondition: the model has the vocabulary of `BuiltInCorpus`.
  /// - Throws: `ModelError`.
  public static func rightAnswers(
    to sums: ArraySlice<BuiltInCorpus.Sum>, by model: Model
  ) throws(ModelError) -> Int {
    guard let first = sums.first else { return 0 }
    var lines = sums.map { BuiltInCorpus.encode($0.prompt) ?? [] }
    for _ in 0..<first.answer.count {
      let length = lines[0].count
      let batch = try Batch(
        Array(lines.joined()), batchSize: lines.count, sequenceLength: length, for: model.configuration)
      let logits = try model.network.nextLogits(batch, in: model.inference)
      for index in lines.indices {
        lines[index].append(logits[index..<index + 1].flat.withSpan(likeliest))
      }
    }
    return zip(sums, lines).count { sum, line in
      sum.isAnswered(by: BuiltInCorpus.tokenizer.decode(Array(line.dropFirst(sum.prompt.count))))
    }
  }

  /// The index of the largest logit, the first of several.
  private static func likeliest(_ logits: Span<Float>) -> Int32 {
    var best = 0
    for index in logits.indices where logits[index] > logits[best] { best = index }
    return Int32(best)
  }
}
