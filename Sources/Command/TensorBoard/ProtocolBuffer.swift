/// Bytes of a message of Protocol Buffers: fields one behind the other, each with its number and how it is written.
///
/// - SeeAlso: protobuf.dev/programming-guides/encoding.
struct ProtocolBuffer {
  private(set) var bytes: [UInt8] = []

  private enum Wire: UInt64 {
    case variableInteger = 0
    case eightBytes = 1
    case lengthAndBytes = 2
    case fourBytes = 5
  }

  mutating func add(_ field: UInt64, _ value: Int) {
    key(field, .variableInteger)
    variableInteger(UInt64(bitPattern: Int64(value)))
  }

  mutating func add(_ field: UInt64, _ value: Double) {
    key(field, .eightBytes)
    littleEndian(value.bitPattern)
  }

  mutating func add(_ field: UInt64, _ value: Float) {
    key(field, .fourBytes)
    littleEndian(value.bitPattern)
  }

  mutating func add(_ field: UInt64, _ text: String) { add(field, Array(text.utf8)) }

  mutating func add(_ field: UInt64, _ message: ProtocolBuffer) { add(field, message.bytes) }

  private mutating func add(_ field: UInt64, _ content: [UInt8]) {
    key(field, .lengthAndBytes)
    variableInteger(UInt64(content.count))
    bytes += content
  }

  private mutating func key(_ field: UInt64, _ wire: Wire) { variableInteger(field << 3 | wire.rawValue) }

  /// Seven bits a byte, the lowest first; the eighth says that more come.
  private mutating func variableInteger(_ value: UInt64) {
    var rest = value
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(rest))
  }

  private mutating func littleEndian<Integer: FixedWidthInteger>(_ value: Integer) {
    bytes += value.littleEndianBytes
  }
}

extension FixedWidthInteger {
  var littleEndianBytes: [UInt8] {
    (0..<Self.bitWidth / 8).map { UInt8(truncatingIfNeeded: self >> ($0 * 8)) }
  }
}
