import Machine
import Tokens

/// What the header of a debug state says: all that can be told without the model it belongs to.
public struct DebugStateHeader: Sendable {
  public let version: Int
  /// B
  public let batchSize: Int
  /// T
  public let sequenceLength: Int
  /// The size of the file.
  public let byteCount: Int

  /// - Throws: `FormatError`, naming the field that is off.
  public init(path: String) throws(FormatError) {
    let file = try mapped(path)
    let header = try LLMHeader(file, path: path, magic: .debugState)
    try header.checkVersion([2])
    version = header[1]
    batchSize = header[2]
    sequenceLength = header[3]
    byteCount = file.byteCount
  }
}
