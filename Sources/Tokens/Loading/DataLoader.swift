import Machine

/// Cuts token files into batches, the same ones on every run.
///
/// In sequential order each batch reads B·T + 1 tokens at the position p of the current file:
///
///     inputs[i] = token[p + i]     targets[i] = token[p + i + 1]     0 ≤ i < B·T
///
/// and moves p on by B·T, so that the last target of a batch is the first input of the next. Where fewer
/// than B·T + 1 tokens are left, the rest of the file is skipped and reading goes on at the start of the next
/// file that has so many, after the last one at the start of the first. A sequence never spans two files.
///
/// In the other orders a batch is B windows of T + 1 tokens, which lie where `DataOrder` says.
///
/// - SeeAlso: github.com/karpathy/llm.c, train_gpt2.c, `dataloader_next_batch` (its first version);
///   github.com/karpathy/nanoGPT, train.py, `get_batch`.
public struct DataLoader: Sendable {
  /// B
  public let batchSize: Int
  /// T
  public let sequenceLength: Int
  /// What every token is below.
  public let vocabularySize: Int
  public let files: [TokenFile]
  /// In which windows come.
  public let order: DataOrder
  /// Where the next batch comes from.
  public private(set) var position: Position
  /// (B, T), row-major; empty before the first batch.
  public private(set) var inputs: BoundedIntegers
  /// (B, T): the tokens that follow the inputs.
  public private(set) var targets: BoundedIntegers
  /// The first token of the first file that is long enough, or of the first window.
  private let start: Position
  /// nil in sequential order.
  private var windows: WindowOrder?

  /// Checks sizes and looks once through every file, so that a token that is none of the vocabulary's is found
  /// before hours of training and not after them.
  ///
  /// - Parameter seed: of an order that is random or shuffled.
  /// - Throws: `DataError`: a size below 1, no files, none with B·T + 1 tokens, or not B windows of T + 1 where such are
  ///   taken, or an id outside 0..<vocabularySize.
  public init(
    files: [TokenFile], batchSize: Int, sequenceLength: Int, vocabularySize: Int,
    order: DataOrder = .sequential, seed: UInt64 = 1337
  ) throws(DataError) {
    guard batchSize > 0 else { throw .notPositive(name: "the batch size", size: batchSize) }
    guard sequenceLength > 0 else { throw .notPositive(name: "the sequence length", size: sequenceLength) }
    guard let path = files.first?.path else { throw .noFiles }
    let (tokens, overflow) = batchSize.multipliedReportingOverflow(by: sequenceLength)
    guard !overflow, tokens < Int.max else {
      throw .batchTooLarge(batchSize: batchSize, sequenceLength: sequenceLength)
    }
    var windows = WindowOrder(order, files: files.map(\.count), sequenceLength: sequenceLength, seed: seed)
    if let windows, windows.count < batchSize {
      throw .tooFewWindows(
        path: path, files: files.count, needed: batchSize, sequenceLength: sequenceLength,
        found: windows.count)
    }
    let longest = windows == nil ? tokens : sequenceLength
    guard let first = files.firstIndex(where: { $0.count > longest }) else {
      throw .tooFewTokens(
        path: path, files: files.count, needed: tokens + 1, found: files.map(\.count).max() ?? 0)
    }
    for file in files { try file.validate(vocabularySize: vocabularySize) }
    self.files = files
    self.batchSize = batchSize
    self.sequenceLength = sequenceLength
    self.vocabularySize = vocabularySize
    self.order = order
    self.windows = windows
    start =
      windows?.position(ofWindow: 0)
      ?? Position(file: first, token: 0, fileTokens: files[first].count)
    position = start
    inputs = try files[first].tokens(in: 0..<0, below: vocabularySize)
    targets = inputs
  }

  /// Maps the files at `paths`, then as above.
  ///
  /// - Parameter tokenType: that of the ids; nil: as the files tell, or look like.
  public init(
    paths: [String], tokenType: TokenType? = nil, batchSize: Int, sequenceLength: Int, vocabularySize: Int,
    order: DataOrder = .sequential, seed: UInt64 = 1337
  ) throws(DataError) {
    var files: [TokenFile] = []
    for path in paths {
      do {
        files.append(try TokenFile(path: path, type: tokenType, vocabularySize: vocabularySize))
      } catch { throw .format(error) }
    }
    try self.init(
      files: files, batchSize: batchSize, sequenceLength: sequenceLength, vocabularySize: vocabularySize,
      order: order, seed: seed)
  }

  // MARK: - Batches

  /// The batches of one pass over all files. A random order makes no passes: as many tokens count as one.
  public var batchCount: Int {
    guard let windows else {
      return files.reduce(0) { $0 + max(0, $1.count - 1) / (batchSize * sequenceLength) }
    }
    return windows.count / batchSize
  }

  /// The batches of so many passes that are whole; nil beyond `Int`. Shuffled windows that are left of a pass begin
  /// the next one's first batch.
  public func batchCount(ofEpochs epochs: Int) -> Int? {
    let (count, overflow) = (windows?.count ?? batchCount).multipliedReportingOverflow(by: epochs)
    return overflow ? nil : windows == nil ? count : count / batchSize
  }

  /// The files that are too short for a batch, or for a window, which are passed over.
  public var shortFiles: [TokenFile] {
    files.filter { $0.count <= (windows == nil ? batchSize : 1) * sequenceLength }
  }

  /// Puts the next batch into `inputs` and `targets`.
  ///
  /// - Throws: `DataError.tokenOutOfRange`, or `.format`, where a file was changed, or has shrunk, after the loader was
  ///   made; the loader is then as before.
  /// - Complexity: one copy of B·T + 1 tokens, or two of B·T, and the one check that those who take them rely on.
  public mutating func nextBatch() throws(DataError) {
    if let windows { try nextBatch(of: windows) } else { try nextSequentialBatch() }
  }

  private mutating func nextSequentialBatch() throws(DataError) {
    let batchTokens = batchSize * sequenceLength
    var next = position
    if files[next.file].count - next.token <= batchTokens {
      var file = next.file
      repeat { file = (file + 1) % files.count } while files[file].count <= batchTokens
      next = Position(file: file, token: 0, fileTokens: files[file].count)
    }
    let tokens = try files[next.file].tokens(
      in: next.token..<next.token + batchTokens + 1, below: vocabularySize)
    inputs = tokens[0..<batchTokens]
    targets = tokens[1..<batchTokens + 1]
    next.token += batchTokens
    position = next
  }

  private mutating func nextBatch(of windows: WindowOrder) throws(DataError) {
    var (windows, next) = (windows, position)
    var rows: [BoundedIntegers] = []
    for _ in 0..<batchSize {
      rows.append(
        try files[next.file].tokens(
          in: next.token..<next.token + sequenceLength + 1, below: vocabularySize))
      next = windows.position(ofWindow: next.window + 1)
    }
    inputs = BoundedIntegers(joining: rows.map { $0[0..<sequenceLength] }, below: vocabularySize)
    targets = BoundedIntegers(joining: rows.map { $0[1..<sequenceLength + 1] }, below: vocabularySize)
    (self.windows, position) = (windows, next)
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
    /// Windows taken before it, which decide where the next one lies; 0 in sequential order.
    public var window: Int

    public init(file: Int, token: Int, fileTokens: Int, window: Int = 0) {
      self.file = file
      self.token = token
      self.fileTokens = fileTokens
      self.window = window
    }
  }

  /// Beyond it numbers are none of a run's.
  private static let lastWindow = 1 << 53

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
    guard (0...(windows == nil ? 0 : Self.lastWindow)).contains(position.window) else {
      throw .position(position, expected: "one of \(order.rawValue) order")
    }
    var windows = windows
    let place = windows?.position(ofWindow: position.window)
    guard place ?? position == position else {
      throw .position(position, expected: "that of window \(position.window) in \(order.rawValue) order")
    }
    (self.windows, self.position) = (windows, position)
  }

  /// Goes back to the first batch.
  public mutating func reset() { position = start }
}
