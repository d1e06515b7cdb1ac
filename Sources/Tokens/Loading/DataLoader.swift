import Machine

/// Cuts token files into batches, in order, the same ones on every run.
///
/// Each batch reads B·T + 1 tokens at the position p of the current file:
///
///     inputs[i] = token[p + i]     targets[i] = token[p + i + 1]     0 ≤ i < B·T
///
/// and moves p on by B·T, so that the last target of a batch is the first input of the next. Where fewer
/// than B·T + 1 tokens are left, the rest of the file is skipped and reading goes on at the start of the next
/// file that has so many, after the last one at the start of the first. A sequence never spans two files.
///
/// - SeeAlso: github.com/karpathy/llm.c, train_gpt2.c, `dataloader_next_batch` (its first version).
public struct DataLoader: Sendable {
  /// B
  public let batchSize: Int
  /// T
  public let sequenceLength: Int
  /// What every token is below.
  public let vocabularySize: Int
  public let files: [TokenFile]
  /// Where the next batch comes from.
  public private(set) var position: Position
  /// The first token of the first file that is long enough.
  private let start: Position
  /// The B·T + 1 tokens of the batch; empty before the first.
  private var tokens: BoundedIntegers

  /// Checks sizes and looks once through every file, so that a token that is none of the vocabulary's is found
  /// before hours of training and not after them.
  ///
  /// - Throws: `DataError`: a size below 1, no files, none with B·T + 1 tokens, or an id outside 0..<vocabularySize.
  public init(
    files: [TokenFile], batchSize: Int, sequenceLength: Int, vocabularySize: Int
  ) throws(DataError) {
    guard batchSize > 0 else { throw .notPositive(name: "the batch size", size: batchSize) }
    guard sequenceLength > 0 else { throw .notPositive(name: "the sequence length", size: sequenceLength) }
    guard let path = files.first?.path else { throw .noFiles }
    let (tokens, overflow) = batchSize.multipliedReportingOverflow(by: sequenceLength)
    guard !overflow, tokens < Int.max else {
      throw .batchTooLarge(batchSize: batchSize, sequenceLength: sequenceLength)
    }
    guard let first = files.firstIndex(where: { $0.count > tokens }) else {
      throw .tooFewTokens(
        path: path, files: files.count, needed: tokens + 1, found: files.map(\.count).max() ?? 0)
    }
    for file in files { try file.validate(vocabularySize: vocabularySize) }
    self.files = files
    self.batchSize = batchSize
    self.sequenceLength = sequenceLength
    self.vocabularySize = vocabularySize
    start = Position(file: first, token: 0, fileTokens: files[first].count)
    position = start
    self.tokens = try files[first].tokens(in: 0..<0, below: vocabularySize)
  }

  /// Maps the files at `paths`, then as above.
  ///
  /// - Parameter tokenType: that of the ids; nil: as the files tell, or look like.
  public init(
    paths: [String], tokenType: TokenType? = nil, batchSize: Int, sequenceLength: Int, vocabularySize: Int
  ) throws(DataError) {
    var files: [TokenFile] = []
    for path in paths {
      do {
        files.append(try TokenFile(path: path, type: tokenType, vocabularySize: vocabularySize))
      } catch { throw .format(error) }
    }
    try self.init(
      files: files, batchSize: batchSize, sequenceLength: sequenceLength, vocabularySize: vocabularySize)
  }

  // MARK: - Batches

  /// (B, T), row-major; empty before the first batch. In the same memory as `targets`.
  public var inputs: BoundedIntegers { tokens[0..<max(0, tokens.count - 1)] }
  /// (B, T): the tokens that follow the inputs.
  public var targets: BoundedIntegers { tokens[min(1, tokens.count)..<tokens.count] }

  /// The batches of one pass over all files.
  public var batchCount: Int {
    files.reduce(0) { $0 + max(0, $1.count - 1) / (batchSize * sequenceLength) }
  }

  /// The files that are too short for a batch, which are passed over.
  public var shortFiles: [TokenFile] { files.filter { $0.count <= batchSize * sequenceLength } }

  /// Puts the next batch into `inputs` and `targets`.
  ///
  /// - Throws: `DataError.tokenOutOfRange`, or `.format`, where a file was changed, or has shrunk, after the loader was
  ///   made; the loader is then as before.
  /// - Complexity: one copy of B·T + 1 tokens, and the one check that those who take them rely on.
  public mutating func nextBatch() throws(DataError) {
    let batchTokens = batchSize * sequenceLength
    var next = position
    if files[next.file].count - next.token <= batchTokens {
      var file = next.file
      repeat { file = (file + 1) % files.count } while files[file].count <= batchTokens
      next = Position(file: file, token: 0, fileTokens: files[file].count)
    }
    tokens = try files[next.file].tokens(
      in: next.token..<next.token + batchTokens + 1, below: vocabularySize)
    next.token += batchTokens
    position = next
  }

  // MARK: - Position

  /// A place in the files of a loader: where its next batch begins, unless the file ends before that.
  public struct Position: Sendable, Equatable {
    /// The index of the file.
    public var file: Int
    /// The index of the token in it.
    public var token: Int
    /// The tokens of that file, by which another one is noticed.
    public var fileTokens: Int

    public init(file: Int, token: Int, fileTokens: Int) {
      self.file = file
      self.token = token
      self.fileTokens = fileTokens
    }
  }

  /// Goes to `position`, so that the next batches are those of the loader that told it. `inputs` and `targets` stay
  /// as they are until then.
  ///
  /// - Throws: `DataError.position` where this loader's files have no such place; the loader is then as before.
  public mutating func move(to position: Position) throws(DataError) {
    guard files.indices.contains(position.file) else {
      throw .position(position, expected: "in one of \(files.count) files")
    }
    let file = files[position.file]
    guard position.fileTokens == file.count else {
      throw .position(position, expected: "in a file of \(file.count) tokens, as \(file.path) is")
    }
    guard (0..<file.count).contains(position.token) else {
      throw .position(position, expected: "at one of the \(file.count) tokens of \(file.path)")
    }
    self.position = position
  }

  /// Goes back to the first batch.
  public mutating func reset() { position = start }
}
