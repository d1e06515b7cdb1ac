import Foundation
import Reference

/// A model with what it must compute: a folder as `scripts/make_fixture.py` describes it.
public struct ReferenceCase: Sendable, CustomStringConvertible {
  public let name: String
  public let directory: URL
  public let layers, heads, channels: Int
  /// V and maxT.
  public let vocabulary, maximumSequenceLength: Int
  /// B, T and the number of batches in the token files.
  public let batchSize, sequenceLength, steps: Int

  public var description: String { name }

  /// The case in Tests/Fixtures, which is always there.
  public static let tiny = loaded("tiny", Fixtures.url("tiny"))

  /// The cases beside the package: small, odd and head64, those that are there.
  public static let shared: [ReferenceCase] = ["small", "odd", "head64"].compactMap { name in
    Fixtures.sharedURL("reference/\(name)").map { loaded(name, $0) }
  }

  /// `tiny` and the shared ones.
  public static let all = [tiny] + shared

  private struct Description: Decodable {
    let layers, heads, channels, vocab, maxSeq, batch, seq, steps: Int
  }

  /// Reads case.json in the folder.
  public init(name: String, directory: URL) throws {
    let json = try Data(contentsOf: directory.appending(path: "case.json"))
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    let sizes = try decoder.decode(Description.self, from: json)
    self.name = name
    self.directory = directory
    layers = sizes.layers
    heads = sizes.heads
    channels = sizes.channels
    vocabulary = sizes.vocab
    maximumSequenceLength = sizes.maxSeq
    batchSize = sizes.batch
    sequenceLength = sizes.seq
    steps = sizes.steps
  }

  /// A case whose folder is there must be readable: the arguments of a test cannot throw.
  private static func loaded(_ name: String, _ directory: URL) -> ReferenceCase {
    do { return try ReferenceCase(name: name, directory: directory) } catch {
      preconditionFailure("the reference case \(name) cannot be read: \(error)")
    }
  }

  /// llm.c checkpoints: version 3, version 1 and version 5.
  public var model: URL { directory.appending(path: "model.bin") }
  public var modelVersion1: URL { directory.appending(path: "model_v1.bin") }
  public var modelBFloat16: URL { directory.appending(path: "model_bf16.bin") }
  /// A Hugging Face folder: config.json and model.safetensors.
  public var huggingFace: URL { directory.appending(path: "hf", directoryHint: .isDirectory) }
  public var debugState: URL { directory.appending(path: "debug_state.bin") }
  /// steps·B·T + 1 tokens, raw int32 and llm.c's headed uint16.
  public var tokensInt32: URL { directory.appending(path: "tokens_i32.bin") }
  public var tokensUInt16: URL { directory.appending(path: "tokens_u16.bin") }

  /// logits (B,T,V), loss, losses, grad.*, bf16_weights.*, fp32_max_error.*; reads the whole file.
  public func expected() throws -> Safetensors {
    try Safetensors(directory.appending(path: "expected.safetensors"))
  }

  /// model.bin; reads the whole file.
  public func checkpoint() throws -> TestCheckpoint { try TestCheckpoint(model) }

  /// The sixteen tensors of model.bin by name; `wte` has Vp rows.
  public func parameters() throws -> [String: [Float]] { try checkpoint().parameters }

  /// All tokens, from tokens_i32.bin.
  public func tokens() throws -> [Int32] {
    var reader = try ByteReader(tokensInt32)
    return try reader.int32s(reader.remaining / 4)
  }

  /// The batch of a step counted from 0: (B, T) tokens and those that follow them.
  public func batch(_ step: Int = 0) throws -> (inputs: [Int32], targets: [Int32]) {
    let tokens = try tokens()
    let count = batchSize * sequenceLength
    let start = step * count
    guard start + count < tokens.count else {
      throw TestFileError("\(name): expected the batch of step \(step), found \(tokens.count) tokens")
    }
    return (Array(tokens[start..<start + count]), Array(tokens[start + 1..<start + 1 + count]))
  }

  /// The reference model with the weights of model.bin.
  public func referenceModel<Scalar>(_ type: Scalar.Type) throws -> ReferenceModel<Scalar> {
    let checkpoint = try checkpoint()
    return ReferenceModel(
      configuration: checkpoint.configuration,
      parameters: checkpoint.parameters.mapValues { $0.map(Scalar.init) })
  }
}
