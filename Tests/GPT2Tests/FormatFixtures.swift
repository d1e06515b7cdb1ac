import Foundation
import GPT2
import Machine

/// Files of llm.c's formats made byte by byte, independently of the library's writer.
struct FileBytes {
  var bytes: [UInt8] = []

  /// 256 int32, of which `fields` come first.
  init(header fields: [Int32] = []) {
    if !fields.isEmpty { append(fields + [Int32](repeating: 0, count: 256 - fields.count)) }
  }

  mutating func append(_ values: [Int32]) {
    for value in values { append(UInt32(bitPattern: value), bytes: 4) }
  }

  mutating func append(_ values: [UInt16]) {
    for value in values { append(UInt32(value), bytes: 2) }
  }

  mutating func append(_ values: [Float]) {
    for value in values { append(value.bitPattern, bytes: 4) }
  }

  static func littleEndian(_ value: Int32) -> [UInt8] {
    var file = FileBytes()
    file.append([value])
    return file.bytes
  }

  private mutating func append(_ value: UInt32, bytes count: Int) {
    for index in 0..<count { bytes.append(UInt8(truncatingIfNeeded: value >> (8 * index))) }
  }
}

/// A directory of one test's own, removed with the last reference.
final class ScratchDirectory {
  let path: String

  init() throws {
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent("gpt2-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    path = directory.path
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  /// Writes a file, with the directories on its way, and returns its path.
  @discardableResult
  func write(_ bytes: [UInt8], to name: String = "file.bin") throws -> String {
    let url = URL(fileURLWithPath: path).appendingPathComponent(name)
    try FileManager.default.createDirectory(
      at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
    try Data(bytes).write(to: url)
    return url.path
  }
}

/// A model small enough to truncate at every byte.
enum TinyModel {
  static let maximumSequenceLength = 3
  static let vocabularySize = 5
  static let layers = 1
  static let heads = 2
  static let channels = 2

  static func configuration(padded: Int) throws -> Configuration {
    try Configuration(
      maximumSequenceLength: maximumSequenceLength, vocabularySize: vocabularySize,
      paddedVocabularySize: padded, layers: layers, heads: heads, channels: channels)
  }

  static func header(version: Int32, padded: Int32) -> [Int32] {
    [20_240_326, version, 3, 5, 1, 2, 2, padded]
  }

  /// Numbers whose upper halves are distinct, so that a bfloat16 shift of one element shows.
  static func value(_ index: Int) -> Float {
    Float(bitPattern: 0x3F80_0000 + UInt32(index % 128) * 0x1_0000 + UInt32(index))
  }

  /// The numbers of a checkpoint with `padded` rows, as they follow each other in the file.
  static func parameters(padded: Int) throws -> [Float] {
    (0..<(try configuration(padded: padded).parameterCount)).map(value)
  }

  static func checkpoint(version: Int32, padded: Int) throws -> [UInt8] {
    var file = FileBytes(header: header(version: version, padded: version == 1 ? 0 : Int32(padded)))
    let values = try parameters(padded: padded)
    if version == 5 {
      file.append(values.map { UInt16($0.bitPattern >> 16) })
    } else {
      file.append(values)
    }
    return file.bytes
  }
}

/// The sentence of the error that `body` throws; nil where it throws none.
func sentence(_ body: () throws -> Void) -> String? {
  do {
    try body()
    return nil
  } catch {
    return "\(error)"
  }
}
