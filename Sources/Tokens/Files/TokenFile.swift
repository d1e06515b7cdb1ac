import Machine

/// Token ids in a file, memory-mapped, or in memory under a name.
///
/// Formats are told apart by content:
/// - llm.c's: 256 int32 (20240520, version 1, count), then uint16 ids; or 20240801, version 7, and uint32;
/// - NumPy's `.npy` of one row of integers (`NumpyHeader`);
/// - ids from the first byte, of a type that is given or that they look like: int32 or uint16 (`RawTokenType`).
///
/// All little-endian.
///
/// - SeeAlso: github.com/karpathy/llm.c, dev/data/data_common.py, `write_datafile`; github.com/karpathy/nanoGPT,
///   data/openwebtext/prepare.py.
public struct TokenFile: Sendable {
  public enum Format: Sendable, Equatable {
    case llm(version: Int)
    case numpy(version: Int)
    /// - Parameter isGuessed: whether the type is that which the ids look like.
    case raw(isGuessed: Bool)
    case memory
  }

  /// The path, or the name of tokens in memory: what errors call it.
  public let path: String
  /// The number of tokens.
  public let count: Int
  public let format: Format
  public let type: TokenType
  private let storage: Storage

  private enum Storage: Sendable {
    case mapped(MappedTokens)
    case memory([Int32])
  }

  /// Maps the file and checks its header and size; of a file without a header it looks at some of the ids.
  ///
  /// - Parameters:
  ///   - type: that of the ids; nil: as the file tells, or looks like.
  ///   - vocabularySize: what the ids are probably below, by which types are told apart.
  /// - Throws: `FormatError`, naming the field that is off.
  public init(
    path: String, type: TokenType? = nil, vocabularySize: Int? = nil
  ) throws(FormatError) {
    let file = try mapped(path)
    let tokens: MappedTokens
    if let magic = FileMagic.detect(file) {
      let header = try LLMHeader(file, path: path, magic: magic == .longTokens ? .longTokens : .tokens)
      tokens = try Self.tokens(file, header, isLong: magic == .longTokens)
      format = .llm(version: header[1])
    } else if NumpyHeader.opens(file) {
      let header = try NumpyHeader(file)
      tokens = MappedTokens(file, type: header.type, offset: header.offset, count: header.count)
      format = .numpy(version: header.version)
    } else {
      tokens = try Self.rawTokens(file, type: type, vocabularySize: vocabularySize)
      format = .raw(isGuessed: type == nil)
    }
    if let type, type != tokens.type {
      throw .mismatch(
        path: path, field: "the type of the token ids", expected: "\(type.rawValue), as asked for",
        found: "\(tokens.type.rawValue), as the file's header says")
    }
    self.path = path
    self.type = tokens.type
    count = tokens.count
    storage = .mapped(tokens)
  }

  private static func tokens(
    _ file: MappedFile, _ header: LLMHeader, isLong: Bool
  ) throws(FormatError) -> MappedTokens {
    try header.checkVersion([isLong ? 7 : 1])
    guard header[2] >= 0 else {
      throw header.mismatch("the number of tokens", expected: "at least 0", found: "\(header[2])")
    }
    let type = isLong ? TokenType.uint32 : .uint16
    try header.checkSize(file.byteCount, expected: LLMHeader.byteCount + type.size * header[2])
    return MappedTokens(file, type: type, offset: LLMHeader.byteCount, count: header[2])
  }

  private static func rawTokens(
    _ file: MappedFile, type: TokenType?, vocabularySize: Int?
  ) throws(FormatError) -> MappedTokens {
    var found = type
    if type == nil {
      try FileKind.refuse(file, expected: "one of token ids", of: FileKind.unlikeNumbers)
      found = try RawTokenType.guess(file, vocabularySize: vocabularySize)
    }
    guard let found, file.byteCount.isMultiple(of: found.size) else {
      // What it is says more than its size does.
      if FileKind.isText(file) {
        throw .mismatch(
          path: file.path, field: "the file", expected: "one of token ids",
          found: FileKind.text.description)
      }
      try FileKind.refuse(file, expected: "one of token ids")
      let expected =
        type.map { "a multiple of \($0.size) bytes, as it holds \($0.rawValue) token ids" }
        ?? "a multiple of 4 bytes, as it holds int32 token ids, or of 2, as it holds uint16"
      throw .mismatch(
        path: file.path, field: "the file's size", expected: expected, found: "\(file.byteCount) bytes")
    }
    return MappedTokens(file, type: found, offset: 0, count: file.byteCount / found.size)
  }

  /// Whether a file without a header may hold token ids: its size is even, and it is not text.
  ///
  /// - Throws: `FormatError.file`.
  public static func isPlausible(path: String) throws(FormatError) -> Bool {
    let file = try mapped(path)
    return file.byteCount.isMultiple(of: 2) && !FileKind.isText(file)
  }

  /// Tokens in memory that loaders can read as if from a file.
  public init(name: String, tokens: [Int32]) {
    path = name
    count = tokens.count
    format = .memory
    type = .int32
    storage = .memory(tokens)
  }

  /// The token at `position`; of numbers that Int32 does not hold the nearest.
  ///
  /// - Precondition: `position` is in 0..<count.
  public func token(at position: Int) -> Int32 { Int32(clamping: number(at: position)) }

  /// The same without the bounds of 32 bits.
  public func number(at position: Int) -> Int {
    precondition((0..<count).contains(position), "token \(position) of \(count)")
    return switch storage {
    case .mapped(let tokens): tokens.number(at: position)
    case .memory(let tokens): Int(tokens[position])
    }
  }

  /// Copies the tokens at `positions`.
  ///
  /// - Precondition: `positions` lies in 0..<count.
  public func tokens(in positions: Range<Int>) -> [Int32] {
    precondition(
      positions.lowerBound >= 0 && positions.upperBound <= count, "tokens \(positions) of \(count)")
    return switch storage {
    case .mapped(let tokens): tokens.tokens(in: positions)
    case .memory(let tokens): Array(tokens[positions])
    }
  }

  /// Copies the tokens at `positions` and checks the copy, which no other program can change.
  ///
  /// - Precondition: `positions` lies in 0..<count.
  /// - Throws: `DataError.tokenOutOfRange` for the first id that is not in 0..<vocabularySize; as `checkSize()`.
  public func tokens(
    in positions: Range<Int>, below vocabularySize: Int
  ) throws(DataError) -> BoundedIntegers {
    let tokens = self.tokens(in: positions)
    try checkSize()
    do { return try BoundedIntegers(tokens, below: vocabularySize) } catch {
      throw outOfRange(positions.lowerBound + error.position, Int(error.value), vocabularySize)
    }
  }

  /// Checks, after tokens were copied, that they were still there.
  ///
  /// - Throws: `DataError.format` with `FileError.changed`.
  /// - Complexity: a system call.
  public func checkSize() throws(DataError) {
    guard case .mapped(let tokens) = storage else { return }
    do { try tokens.checkSize() } catch { throw .format(.file(error)) }
  }

  /// Checks that every id is in 0..<vocabularySize. Reads the whole file once.
  ///
  /// - Throws: `DataError.tokenOutOfRange` for the first that is not.
  public func validate(vocabularySize: Int) throws(DataError) {
    let position: Int? =
      switch storage {
      case .mapped(let tokens): tokens.firstPosition(outside: vocabularySize)
      case .memory(let tokens): tokens.firstIndex { $0 < 0 || $0 >= vocabularySize }
      }
    if let position { throw outOfRange(position, number(at: position), vocabularySize) }
  }

  private func outOfRange(_ position: Int, _ number: Int, _ vocabularySize: Int) -> DataError {
    // Wider numbers have zeros between them that would have been noticed.
    let isDoubtful = format == .raw(isGuessed: true) && type == .uint16
    return .tokenOutOfRange(
      path: path, position: position, token: number, vocabularySize: vocabularySize,
      guess: isDoubtful ? type : nil)
  }
}
