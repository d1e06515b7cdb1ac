import Foundation
import TestSupport

/// `gpt2 train` on the reference case `tiny`.
enum TrainCase {
  static let tiny = ReferenceCase.tiny

  /// As the case's `losses` were made: successive batches, learning rate 1e-4, weight decay 0.01.
  static func arguments(
    model: URL = tiny.model, data: URL = tiny.tokensInt32, batchSize: Int? = nil, sequenceLength: Int? = nil
  ) -> [String] {
    [
      "train", "--checkpoint", model.path, "--train-data", data.path, "--val-data", data.path,
      "--batch-size", "\(batchSize ?? tiny.batchSize)", "--sequence-length",
      "\(sequenceLength ?? tiny.sequenceLength)", "--steps", "\(tiny.steps)", "--weight-decay", "0.01",
      "--learning-rate", "1e-4",
    ]
  }

  /// The objects of a log, one a line.
  static func log(_ url: URL) throws -> [LogLine] {
    let text = try String(contentsOf: url, encoding: .utf8)
    return try text.split(separator: "\n").map { try JSONDecoder().decode(LogLine.self, from: Data($0.utf8)) }
  }

  /// The losses of the training steps of a run with `arguments` more.
  static func losses(_ more: [String], isa: String? = nil) throws -> [Float]? {
    try TemporaryDirectory.with { directory in
      let log = directory.appending(path: "log.jsonl")
      let arguments = Self.arguments() + ["--sample-every", "0", "--log", log.path] + more
      let run = try Executable.run(arguments, in: directory, isa: isa)
      if run.errors.contains("not supported by this processor") { return nil }
      guard run.exitCode == 0 else { throw TestFileError(run.errors) }
      return try Self.log(log).filter { $0.event == "train" }.compactMap(\.loss)
    }
  }
}

/// What tests read of a line of the log.
struct LogLine: Decodable {
  let event: String
  let step: Int?
  let loss: Float?
  let milliseconds, tokensPerSecond, learningRate, gradientNorm: Double?
  let tokens: [Int32]?
  let text: String?
  let isa, error, skipped: String?
  let lossZ, normZ: Double?
  let threads, steps: Int?

  enum CodingKeys: String, CodingKey {
    case event, step, loss, milliseconds, tokens, text, isa, error, threads, steps, skipped
    case lossZ = "loss_z"
    case normZ = "norm_z"
    case tokensPerSecond = "tokens_per_second"
    case learningRate = "learning_rate"
    case gradientNorm = "gradient_norm"
  }
}
