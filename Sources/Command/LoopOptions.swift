import ArgumentParser
import GPT2
import Terminal
import Tokens

/// The options of the training loop. What is not given depends on whether the built-in corpus is trained on.
struct LoopOptions: ParsableArguments {
  @Option(
    parsing: .unconditional, help: wholeNumber("B: sequences of a batch. (default: 4; built-in corpus: 16)"))
  var batchSize: Int?
  @Option(
    parsing: .unconditional,
    help: wholeNumber("T: tokens of a sequence, at most the model's context. (default: 64)"))
  var sequenceLength: Int?
  @Option(parsing: .unconditional, help: wholeNumber("Batches whose gradients are averaged into one update."))
  var gradientAccumulation = 1
  @Option(
    parsing: .unconditional, help: wholeNumber("Updates of the weights. (default: 40; built-in corpus: 700)"))
  var steps: Int?
  @Option(
    parsing: .unconditional,
    help: wholeNumber(
      "Passes over the training data, instead of --steps; the header says how many steps they are."))
  var epochs: Int?
  @Option(
    parsing: .unconditional,
    help: wholeNumber("Steps between validations; 0: never. (default: 10; built-in corpus: 100)"))
  var valEvery: Int?
  @Option(parsing: .unconditional, help: wholeNumber("Batches of a validation."))
  var valBatches = 10
  @Option(
    parsing: .unconditional,
    help: wholeNumber(
      "Steps between samples, which multiply what the run's --precision says; 0: never. (default: 20; built-in corpus: 100)"
    ))
  var sampleEvery: Int?
  @Option(
    parsing: .unconditional,
    help: wholeNumber(
      "Tokens of a sample, its start included; at most \(GenerationOptions.longestLength). (default: 64; built-in corpus: 32)"
    ))
  var sampleLength: Int?
  @Option(
    parsing: .unconditional,
    help: wholeNumber(
      "Steps between those that are printed, the last one beside them; 0: none. (default: 1; built-in corpus: 10)"
    ))
  var printEvery: Int?
  @Option(
    parsing: .unconditional,
    help: number(
      """
      With which probability, from 0 to below 1, training sets an element of the embeddings, of attention's weights and \
      of what attention and feed-forward add to 0, the others scaled up; for small data, often 0.2. (default: 0)
      """))
  var dropout: Double?
  @Option(
    parsing: .unconditional,
    help: """
      What the backward pass computes again to save memory: none, elementwise (layer norms and the activation: a \
      third less memory for about a hundredth more time) or blocks (a third more time). Results do not depend on it. \
      (default: none where that takes at most a sixteenth of the machine's memory in fp32, else elementwise)
      """)
  var recompute: Recomputation?
  @Option(
    parsing: .unconditional,
    help: wholeNumber("Where the random numbers of new weights, samples, --order and --dropout start."))
  var seed: UInt64 = 1337

  func validate() throws {
    for (name, size) in [("--batch-size", batchSize), ("--sequence-length", sequenceLength)] {
      if let size, size < 1 { throw ValidationError("\(name) should be at least 1, but is \(size)") }
    }
    if let epochs {
      guard steps == nil else {
        throw ValidationError("expected --steps or --epochs, found both: leave one of them out")
      }
      guard epochs >= 1 else { throw ValidationError("--epochs should be at least 1, but is \(epochs)") }
    }
    if let printEvery, printEvery < 0 {
      throw ValidationError("--print-every should be at least 0, but is \(printEvery)")
    }
    let (tokens, overflow) = (batchSize ?? 1).multipliedReportingOverflow(by: sequenceLength ?? 1)
    guard !overflow, tokens <= Int(Int32.max) else {
      throw ValidationError(
        "a batch should have at most \(Int32.max) tokens, but --batch-size \(batchSize ?? 1) and --sequence-length"
          + " \(sequenceLength ?? 1) make more")
    }
  }

  /// The steps of the epochs that were asked for, if they were.
  ///
  /// - Throws: `ValidationError` beyond what can be counted.
  func setSteps(of options: inout TrainingOptions, for training: DataLoader) throws(ValidationError) {
    guard let epochs else { return }
    guard let batches = training.batchCount(ofEpochs: epochs) else {
      throw ValidationError("--epochs should make fewer than 2⁶³ batches, but is \(epochs)")
    }
    // Where there are too few batches for a step, that is said.
    options.steps = max(1, batches / options.gradientAccumulation)
  }

  func trainingOptions(defaults: TrainingOptions) -> TrainingOptions {
    var options = defaults
    // How many steps epochs are is known once the data are.
    options.steps = epochs == nil ? steps ?? defaults.steps : .max
    options.gradientAccumulation = gradientAccumulation
    options.validationInterval = valEvery ?? defaults.validationInterval
    options.validationBatches = valBatches
    options.sampleInterval = sampleEvery ?? defaults.sampleInterval
    options.sampleLength = sampleLength ?? defaults.sampleLength
    options.seed = seed
    options.dropout = dropout ?? 0
    return options
  }
}
