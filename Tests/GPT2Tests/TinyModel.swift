import GPT2
import TestSupport

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
