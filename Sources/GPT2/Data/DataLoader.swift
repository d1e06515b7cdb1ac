/// Cuts token files into batches, in order, the same ones on every run.
///
/// Each batch reads B·T + 1 tokens at the position p of the current file:
///
///     inputs[i] = token[p + i]     targets[i] = token[p + i + 1]     0 ≤ i < B·T
///
/// and moves p on by B·T, so that the last target of a batch is the first input of the next. Where fewer
/// than B·T + 1 tokens are left, the rest of the file is skipped and reading goes on at the start of the next
/// file, after the last one at the start of the first. A sequence never spans two files.
///
/// - SeeAlso: github.com/karpathy/llm.c, train_gpt2.c, `dataloader_next_batch` (its first version).
public struct DataLoader: Sendable {
  /// B
  public let batchSize: Int
  /// T
  public let sequenceLength: Int
  public let files: [TokenFile]
  /// (B, T), row-major; empty before the first batch.
  public private(set) var inputs: [Int32] = []
  /// (B, T): the tokens that follow the inputs.
  public private(set) var targets: [Int32] = []

  private var fileIndex = 0
  private var position = 0

  /// Checks sizes and every token of every file, which reads all of them once.
  ///
  /// - Throws: `DataError`: a size below 1, no files, a file with fewer than B·T + 1 tokens, or an id outside
  ///   0..<vocabularySize.
  public init(
    files: [TokenFile], batchSize: Int, sequenceLength: Int, vocabularySize: Int
  ) throws(DataError) {
    guard batchSize > 0 else { throw .notPositive(name: "the batch size", size: batchSize) }
    guard sequenceLength > 0 else { throw .notPositive(name: "the sequence length", size: sequenceLength) }
    guard !files.isEmpty else { throw .noFiles }
    let (tokens, overflow) = batchSize.multipliedReportingOverflow(by: sequenceLength)
    guard !overflow, tokens < Int.max else {
      throw .batchTooLarge(batchSize: batchSize, sequenceLength: sequenceLength)
    }
    for file in files {
      guard file.count > tokens else {
        throw .tooFewTokens(path: file.path, needed: tokens + 1, found: file.count)
      }
    }
    for file in files { try file.validate(vocabularySize: vocabularySize) }
    self.files = files
    self.batchSize = batchSize
    self.sequenceLength = sequenceLength
  }

  /// Maps the files at `paths`, then as above.
  public init(
    paths: [String], batchSize: Int, sequenceLength: Int, vocabularySize: Int
  ) throws(DataError) {
    var files: [TokenFile] = []
    for path in paths {
      do { files.append(try TokenFile(path: path)) } catch { throw .format(error) }
    }
    try self.init(
      files: files, batchSize: batchSize, sequenceLength: sequenceLength, vocabularySize: vocabularySize)
  }

  /// The batches of one pass over all files.
  public var batchCount: Int {
    files.reduce(0) { $0 + ($1.count - 1) / (batchSize * sequenceLength) }
  }

  /// Puts the next batch into `inputs` and `targets`.
  public mutating func nextBatch() {
    let batchTokens = batchSize * sequenceLength
    if files[fileIndex].count - position <= batchTokens {
      fileIndex = (fileIndex + 1) % files.count
      position = 0
    }
    let tokens = files[fileIndex].tokens(in: position..<position + batchTokens + 1)
    inputs = Array(tokens.dropLast())
    targets = Array(tokens.dropFirst())
    position += batchTokens
  }

  /// Goes back to the first token of the first file.
  public mutating func reset() {
    fileIndex = 0
    position = 0
  }
}
