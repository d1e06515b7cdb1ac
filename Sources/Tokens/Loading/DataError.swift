import Machine

/// Why data cannot be trained on.
public enum DataError: Error, CustomStringConvertible {
  case format(FormatError)
  /// - Parameter guess: the type that the file's ids look like and were read as, where it may be another one.
  case tokenOutOfRange(path: String, position: Int, token: Int, vocabularySize: Int, guess: TokenType? = nil)
  /// Of all the files; the first one's path, and the tokens of the longest.
  case tooFewTokens(path: String, files: Int, needed: Int, found: Int)
  /// Of all the files; the first one's path.
  case tooFewWindows(path: String, files: Int, needed: Int, sequenceLength: Int, found: Int)
  case notPositive(name: String, size: Int)
  case batchTooLarge(batchSize: Int, sequenceLength: Int)
  case noFiles
  /// A position that no place in the loader's files has.
  case position(DataLoader.Position, expected: String)
  case notADirectory(path: String)
  /// - Parameter isAllSeen: whether nothing was passed over that data may be in.
  case noDataSet(directory: String, found: [String], isAllSeen: Bool = true)
  case unknownDataSet(name: String, directory: String, found: [String])

  public var description: String {
    switch self {
    case .format(let error):
      error.description
    case .tokenOutOfRange(let path, let position, let token, let vocabularySize, let guess):
      "\(path): the token at position \(position) should be below the vocabulary size \(vocabularySize)"
        + " and not negative, but is \(token)"
        + (guess.map {
          ", read as the \($0.rawValue) that the file looks like: --token-type TYPE says another."
        } ?? ".")
    case .tooFewTokens(let path, let files, let needed, let found):
      "\(path)\(files > 1 ? " and \(files - 1) more" : ""): a batch needs at least \(needed) tokens (batch size × "
        + "sequence length + 1), but the \(files > 1 ? "longest" : "file") has \(found)."
    case .tooFewWindows(let path, let files, let needed, let sequenceLength, let found):
      "\(path)\(files > 1 ? " and \(files - 1) more" : ""): a batch needs at least \(needed) sequences of "
        + "\(sequenceLength) tokens and the one that follows, but the \(files > 1 ? "files have" : "file has") "
        + "\(found)."
    case .notPositive(let name, let size):
      "\(name) should be at least 1, but is \(size)."
    case .batchTooLarge(let batchSize, let sequenceLength):
      "a batch of \(batchSize) × \(sequenceLength) tokens should be smaller than the address space."
    case .noFiles:
      "at least one token file should be given, but there is none."
    case .position(let position, let expected):
      "the position in the data should be \(expected), but is token \(position.token) of file \(position.file),"
        + " which has \(position.fileTokens) tokens."
    case .notADirectory(let path):
      "\(path): the data directory should exist and be readable, but is not."
    case .noDataSet(let directory, let found, let isAllSeen):
      "\(directory): there should be a pair NAME_train.bin and NAME_val.bin in it or below, but "
        + (found.isEmpty ? "no such file was found" : "found only \(found.joined(separator: ", "))")
        + (isAllSeen
          ? found.isEmpty ? "; files of other names can be given one by one." : "."
          : ", and what was passed over could not be looked at.")
    case .unknownDataSet(let name, let directory, let found):
      "\(directory): the data set should be one of \(found.joined(separator: ", ")), but is '\(name)'."
    }
  }
}
