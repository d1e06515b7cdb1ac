/// The type of the numbers that a file has token ids as. All are little-endian.
public enum TokenType: String, Sendable, CaseIterable {
  case uint8, int8, uint16, int16, uint32, int32, uint64, int64

  /// Those that a file without a header may be said to have.
  public static let raw: [TokenType] = [.uint16, .uint32, .int32, .int64]

  /// Bytes of a number.
  var size: Int {
    switch self {
    case .uint8, .int8: 1
    case .uint16, .int16: 2
    case .uint32, .int32: 4
    case .uint64, .int64: 8
    }
  }
}
