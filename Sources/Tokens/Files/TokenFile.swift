import Machine

/// Token ids in a file, memory-mapped, or in memory under a name.
///
/// Two formats are told apart by content:
/// - llm.c's headed uint16: 256 int32 (20240520, version 1, count), then the ids;
/// - the original's raw int32: ids from the first byte.
///
/// Both little-endian. Only a file that opens with one of llm.c's magic numbers is not raw; as a token id
/// each of those exceeds any vocabulary in use.
///
/// - SeeAlso: github.com/karpathy/llm.c, dev/data/data_common.py, `write_datafile`.
public struct TokenFile: Sendable {
  /// The path, or the name of tokens in memory: what errors call it.
  public let path: String
  /// The number of tokens.
  public let count: Int
  private let storage: Storage

  private enum Storage: Sendable {
    case raw(MappedFile)
    case headed(MappedFile)
    case memory([Int32])
  }

  /// Maps the file and checks its header and size; does not look at the ids.
  ///
  /// - Throws: `FormatError`, naming the field that is off.
  public init(path: String) throws(FormatError) {
    let file = try mapped(path)
    self.path = path
    guard FileMagic.detect(file) != nil else {
      guard file.byteCount.isMultiple(of: 4) else {
        throw .mismatch(
          path: path, field: "the file's size",
          expected: "a multiple of 4 bytes, as it holds int32 token ids", found: "\(file.byteCount) bytes")
      }
      storage = .raw(file)
      count = file.byteCount / 4
      return
    }
    let header = try LLMHeader(file, path: path, magic: .tokens)
    try header.checkVersion([1])
    guard header[2] >= 0 else {
      throw header.mismatch("the number of tokens", expected: "at least 0", found: "\(header[2])")
    }
    try header.checkSize(file.byteCount, expected: LLMHeader.byteCount + 2 * header[2])
    storage = .headed(file)
    count = header[2]
  }

  /// Tokens in memory that loaders can read as if from a file.
  public init(name: String, tokens: [Int32]) {
    path = name
    count = tokens.count
    storage = .memory(tokens)
  }

  /// The token at `position`.
  ///
  /// - Precondition: `position` is in 0..<count.
  public func token(at position: Int) -> Int32 {
    precondition((0..<count).contains(position), "token \(position) of \(count)")
    return switch storage {
    case .raw(let file): file.read(Int32.self, at: 4 * position)
    case .headed(let file): Int32(file.read(UInt16.self, at: LLMHeader.byteCount + 2 * position))
    case .memory(let tokens): tokens[position]
    }
  }

  /// Copies the tokens at `positions`.
  ///
  /// - Precondition: `positions` lies in 0..<count.
  public func tokens(in positions: Range<Int>) -> [Int32] {
    precondition(
      positions.lowerBound >= 0 && positions.upperBound <= count, "tokens \(positions) of \(count)")
    let start = positions.lowerBound
    switch storage {
    case .raw(let file):
      return file.withIntegers(Int32.self, at: 4 * start, count: positions.count) { tokens in
        tokens.indices.map { tokens[$0] }
      }
    case .headed(let file):
      let offset = LLMHeader.byteCount + 2 * start
      return file.withIntegers(UInt16.self, at: offset, count: positions.count) { tokens in
        tokens.indices.map { Int32(tokens[$0]) }
      }
    case .memory(let tokens):
      return Array(tokens[positions])
    }
  }

  /// Copies the tokens at `positions` and checks the copy, which no other program can change.
  ///
  /// - Precondition: `positions` lies in 0..<count.
  /// - Throws: `DataError.tokenOutOfRange` for the first id that is not in 0..<vocabularySize.
  public func tokens(
    in positions: Range<Int>, below vocabularySize: Int
  ) throws(DataError) -> BoundedIntegers {
    do { return try BoundedIntegers(tokens(in: positions), below: vocabularySize) } catch {
      throw .tokenOutOfRange(
        path: path, position: positions.lowerBound + error.position, token: error.value,
        vocabularySize: vocabularySize)
    }
  }

  /// Checks that every id is in 0..<vocabularySize. Reads the whole file once.
  ///
  /// - Throws: `DataError.tokenOutOfRange` for the first that is not.
  public func validate(vocabularySize: Int) throws(DataError) {
    let position: Int? =
      switch storage {
      case .raw(let file):
        file.withIntegers(Int32.self, at: 0, count: count) { tokens in
          tokens.indices.first { tokens[$0] < 0 || tokens[$0] >= vocabularySize }
        }
      case .headed(let file):
        file.withIntegers(UInt16.self, at: LLMHeader.byteCount, count: count) { tokens in
          tokens.indices.first { tokens[$0] >= vocabularySize }
        }
      case .memory(let tokens):
        tokens.firstIndex { $0 < 0 || $0 >= vocabularySize }
      }
    guard let position else { return }
    throw .tokenOutOfRange(
      path: path, position: position, token: token(at: position), vocabularySize: vocabularySize)
  }
}
