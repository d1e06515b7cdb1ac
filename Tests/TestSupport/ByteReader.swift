import Foundation

/// Little-endian numbers out of a file's bytes, checked against its size.
struct ByteReader {
  let bytes: [UInt8]
  let name: String
  var offset = 0

  init(_ url: URL) throws {
    bytes = [UInt8](try Data(contentsOf: url))
    name = url.lastPathComponent
  }

  var remaining: Int { bytes.count - offset }

  mutating func integer<Integer: FixedWidthInteger & UnsignedInteger>(
    _ type: Integer.Type
  ) throws -> Integer {
    let width = Integer.bitWidth / 8
    guard remaining >= width else {
      throw TestFileError("\(name): expected \(width) bytes at \(offset), found the end at \(bytes.count)")
    }
    var value: Integer = 0
    for i in 0..<width { value |= Integer(bytes[offset + i]) << Integer(8 * i) }
    offset += width
    return value
  }

  mutating func int32s(_ count: Int) throws -> [Int32] {
    try (0..<count).map { _ in Int32(bitPattern: try integer(UInt32.self)) }
  }

  mutating func floats(_ count: Int) throws -> [Float] {
    try (0..<count).map { _ in Float(bitPattern: try integer(UInt32.self)) }
  }

  mutating func doubles(_ count: Int) throws -> [Double] {
    try (0..<count).map { _ in Double(bitPattern: try integer(UInt64.self)) }
  }
}
