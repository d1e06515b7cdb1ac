import Machine
import Operators
import Tokens

/// The loss of a model over whole files of tokens: every token but a file's first is predicted once.
public struct Evaluation: Sendable, Equatable {
  /// Σ −log p of the predicted tokens.
  public private(set) var totalLoss = 0.0
  /// Tokens that were predicted.
  public private(set) var tokens = 0
  /// Bytes of their text; 0 where no vocabulary was given.
  public private(set) var bytes = 0

  /// The mean over the predicted tokens.
  public var loss: Double { totalLoss / Double(max(1, tokens)) }
  /// e^loss.
  public var perplexity: Double { Evaluation.exponential(loss) }
  /// Bits that the model needs for a byte of text; nil without a vocabulary.
  public var bitsPerByte: Double? { bytes > 0 ? totalLoss / 0.693_147_180_559_945_3 / Double(bytes) : nil }

  /// How a file is cut into what the model sees at a time.
  public struct Windows: Sendable, Equatable {
    /// T: tokens of a window; the last of a file may be shorter.
    public let length: Int
    /// From one window to the next: T takes them one after another; less gives a token more of what comes before it,
    /// and takes T/stride as long.
    public let stride: Int
    /// Windows computed at once.
    public let batchSize: Int

    /// - Throws: `GenerationError.option`: a length outside the model's context, a stride outside 1...length.
    public init(
      length: Int, stride: Int? = nil, batchSize: Int = 4, for configuration: Configuration
    ) throws(GenerationError) {
      let context = configuration.maximumSequenceLength
      guard (1...context).contains(length) else {
        throw .option(
          name: "the window", expected: "in 1...\(context), the model's context", found: "\(length)")
      }
      let stride = stride ?? length
      guard (1...length).contains(stride) else {
        throw .option(name: "the stride", expected: "in 1...\(length), the window", found: "\(stride)")
      }
      guard batchSize > 0 else {
        throw .option(name: "the batch size", expected: "at least 1", found: "\(batchSize)")
      }
      (self.length, self.stride, self.batchSize) = (length, stride, batchSize)
    }
  }

  public init() {}

  /// Checks that a model can predict a file's tokens. Reads the whole file once.
  ///
  /// - Throws: `EvaluationError`: fewer than two tokens, one outside the vocabulary.
  public static func check(_ file: TokenFile, for configuration: Configuration) throws(EvaluationError) {
    guard file.count >= 2 else { throw .tooFewTokens(path: file.path, found: file.count) }
    do { try file.validate(vocabularySize: configuration.vocabularySize) } catch { throw .data(error) }
  }

  /// Adds a file.
  ///
  /// - Parameters:
  ///   - tokenizer: tells how many bytes of text a token is; the end of text is none.
  ///   - progress: called with the tokens predicted so far.
  /// - Throws: `EvaluationError`: a file that `check` refuses, memory, a loss that is not finite.
  public mutating func add(
    _ file: TokenFile, windows: Windows, network: Network, in workspace: Workspace,
    tokenizer: Tokenizer? = nil,
    progress: (Int) -> Void = { _ in }
  ) throws(EvaluationError) {
    try Self.check(file, for: network.configuration)
    let sizes = tokenizer?.textSizes
    let inputs = file.count - 1
    var (start, counted) = (0, 0)
    while counted < inputs {
      var batch = [start..<min(inputs, start + windows.length)]
      var end = batch[0].upperBound
      start += windows.stride
      // The last one of the file, where it is shorter, has a batch of its own.
      while batch.count < windows.batchSize, end < inputs, start + windows.length <= inputs {
        end = start + windows.length
        batch.append(start..<end)
        start += windows.stride
      }
      counted = try add(batch, of: file, counted: counted, network, workspace, sizes)
      progress(tokens)
    }
  }

  /// - Parameter counted: inputs whose targets earlier windows predicted.
  /// - Returns: the same, these windows included.
  private mutating func add(
    _ windows: [Range<Int>], of file: TokenFile, counted: Int, _ network: Network, _ workspace: Workspace,
    _ sizes: [Int]?
  ) throws(EvaluationError) -> Int {
    guard let length = windows.first?.count else { return counted }
    let (inputs, targets): ([Int32], [Int32]) = (
      windows.flatMap { file.tokens(in: $0) },
      windows.flatMap { file.tokens(in: $0.lowerBound + 1..<$0.upperBound + 1) }
    )
    do { try file.checkSize() } catch { throw .data(error) }
    let losses: Tensor
    do {
      losses = try network.losses(
        Batch(
          inputs, targets: targets, batchSize: windows.count, sequenceLength: length,
          for: network.configuration), in: workspace)
    } catch { throw .model(error) }
    var counted = counted
    for (index, window) in windows.enumerated() {
      for position in max(counted, window.lowerBound)..<window.upperBound {
        let row = index * length + position - window.lowerBound
        guard losses[row].isFinite else {
          throw .notFinite(path: file.path, position: position + 1, loss: losses[row])
        }
        totalLoss += Double(losses[row])
        tokens += 1
        if let sizes { bytes += sizes[Int(targets[row])] }
      }
      counted = max(counted, window.upperBound)
    }
    return counted
  }

  /// eˣ for any x, by the exponential of sampling.
  private static func exponential(_ x: Double) -> Double {
    x <= 0 ? Sampler.exponential(x) : 1 / Sampler.exponential(-x)
  }
}

/// Why a file cannot be evaluated: one sentence.
public enum EvaluationError: Error, CustomStringConvertible {
  case tooFewTokens(path: String, found: Int)
  case data(DataError)
  case exampleTooLong(path: String, index: Int, tokens: Int, context: Int)
  case exampleOutside(path: String, index: Int, token: Int32, vocabularySize: Int)
  case notFinite(path: String, position: Int, loss: Float)
  case model(ModelError)

  public var description: String {
    switch self {
    case .tooFewTokens(let path, let found):
      "\(path): the file should have at least 2 tokens, one to predict another, but has \(found)."
    case .data(let error): error.description
    case .exampleTooLong(let path, let index, let tokens, let context):
      "\(path): example \(index) should be at most the model's context of \(context) tokens, but is \(tokens)."
    case .exampleOutside(let path, let index, let token, let vocabularySize):
      "\(path): tokens of example \(index) should be within the model's vocabulary 0..<\(vocabularySize), but one is "
        + "\(token)."
    case .notFinite(let path, let position, let loss):
      "\(path): the loss of token \(position) should be finite, but is \(loss.said): the model's parameters are damaged."
    case .model(let error): error.description
    }
  }
}
