/// Files of llm.c's formats made byte by byte, independently of the library's writer.
public struct FileBytes {
  public private(set) var bytes: [UInt8] = []

  /// 256 int32, of which `fields` come first.
  public init(header fields: [Int32] = []) {
    if !fields.isEmpty { append(fields + [Int32](repeating: 0, count: 256 - fields.count)) }
  }

  public mutating func append(_ values: [Int32]) {
    for value in values { append(UInt32(bitPattern: value), bytes: 4) }
  }

  public mutating func append(_ values: [UInt16]) {
    for value in values { append(UInt32(value), bytes: 2) }
  }

  public mutating func append(_ values: [Float]) {
    for value in values { append(value.bitPattern, bytes: 4) }
  }

  public static func littleEndian(_ value: Int32) -> [UInt8] {
    var file = FileBytes()
    file.append([value])
    return file.bytes
  }

  private mutating func append(_ value: UInt32, bytes count: Int) {
    for index in 0..<count { bytes.append(UInt8(truncatingIfNeeded: value >> (8 * index))) }
  }
}
