import Foundation
import Reference

/// A checkpoint of llm.c, version 3, read by a parser of the tests' own.
///
/// 256 int32 (20240326, 3, maxT, V, L, NH, C, Vp, zeros), then the sixteen tensors as float32.
public struct TestCheckpoint: Sendable {
  public let configuration: ReferenceConfiguration
  /// The sixteen tensors by name; `wte` has Vp rows.
  public let parameters: [String: [Float]]

  public init(_ url: URL) throws {
    var reader = try ByteReader(url)
    let header = try reader.int32s(256).map(Int.init)
    guard header[0] == 20_240_326, header[1] == 3 else {
      throw TestFileError(
        "\(reader.name): expected 20240326 version 3, found \(header[0]) version \(header[1])")
    }
    configuration = ReferenceConfiguration(
      maximumSequenceLength: header[2], vocabulary: header[3], paddedVocabulary: header[7],
      layers: header[4], heads: header[5], channels: header[6])
    var parameters: [String: [Float]] = [:]
    for tensor in configuration.tensors {
      parameters[tensor.name] = try reader.floats(tensor.shape.reduce(1, *))
    }
    guard reader.remaining == 0 else {
      throw TestFileError("\(reader.name): expected the end after lnfb, found \(reader.remaining) bytes more")
    }
    self.parameters = parameters
  }
}
