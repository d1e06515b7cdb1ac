import Foundation
import GPT2
import TestSupport
import Tokens

/// A directory with a model of `TestVocabulary` and its tokenizer, found by themselves.
enum InferenceCase {
  static let context = 24

  static func model(_ precision: OperandPrecision = .fp32) throws -> Model {
    try RandomModel.make(vocabulary: TestVocabulary.size, context: context, precision: precision)
  }

  /// Gives `body` a directory with gpt2_124M.bin, the same model as hf, and gpt2_tokenizer.bin.
  static func with<Result>(tokenizer: Bool = true, _ body: (URL) throws -> Result) throws -> Result {
    try TemporaryDirectory.with { directory in
      let model = try model()
      try Checkpoint.write(
        model.parameters, to: directory.appending(path: "gpt2_124M.bin").path, context: model.context)
      try Checkpoint.write(
        model.parameters, to: directory.appending(path: "hf").path, as: .huggingFace(.float32),
        context: model.context)
      if tokenizer { try write(TestVocabulary.llm, to: "gpt2_tokenizer.bin", in: directory) }
      return try body(directory)
    }
  }

  static func write(_ bytes: [UInt8], to name: String, in directory: URL) throws {
    try Data(bytes).write(to: directory.appending(path: name))
  }

  static func tokenizer() throws -> Tokenizer {
    Tokenizer(tokens: TestVocabulary.bytes, endOfText: TestVocabulary.endOfText)
  }
}

/// What `gpt2 generate --json` prints of a sample.
struct SampleLine: Decodable, Equatable {
  let tokens: [Int32]
  let text: String?
  let logProbabilities: [Double]

  enum CodingKeys: String, CodingKey {
    case tokens, text
    case logProbabilities = "log_probabilities"
  }

  static func read(_ run: Run) throws -> [SampleLine] {
    try run.lines.map { try JSONDecoder().decode(SampleLine.self, from: Data($0.utf8)) }
  }
}
