import Foundation
import TestSupport

/// A run directory, as tests look at it.
struct SavedRun {
  let url: URL

  init(_ directory: URL) { url = directory.appending(path: "run") }

  /// The names of the steps, whole or not.
  var steps: [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: url.path)) ?? []).filter {
      $0.wholeMatch(of: /step-\d{8}/) != nil
    }.sorted()
  }

  /// Whether something is being written.
  var isBeingWritten: Bool {
    ((try? FileManager.default.contentsOfDirectory(atPath: url.path)) ?? []).contains {
      $0.contains(".temporary-")
    }
  }

  /// All that should be the same, however the run came to this step: parameters, moments, and the state but for options
  /// that may change.
  func content(_ step: Int) throws -> Content {
    let directory = url.appending(
      path: "step-" + String(repeating: "0", count: 8 - "\(step)".count) + "\(step)")
    return Content(
      model: try Data(contentsOf: directory.appending(path: "model/model.safetensors")),
      optimizer: try Data(contentsOf: directory.appending(path: "optimizer.safetensors")),
      state: try JSONDecoder().decode(
        State.self, from: Data(contentsOf: directory.appending(path: "state.json"))))
  }

  struct Content: Equatable {
    let model, optimizer: Data
    let state: State
  }

  struct State: Decodable, Equatable {
    let step, updateCount, sampleCount: Int
    let generator: String
    let position: [String: Int]
    let trainingLosses, validationLosses: [[Double]]
    let gradientNorms: [Double]

    enum CodingKeys: String, CodingKey {
      case step, generator, position
      case updateCount = "update_count"
      case sampleCount = "sample_count"
      case trainingLosses = "training_losses"
      case validationLosses = "validation_losses"
      case gradientNorms = "gradient_norms"
    }
  }
}

extension TrainCase {
  /// A run with all that a saved one has to remember: samples, validations, a schedule, accumulation, clipping.
  static func savedArguments(steps: Int, saveEvery: Int) -> [String] {
    [
      "train", "--checkpoint", tiny.model.path, "--train-data", tiny.tokensInt32.path, "--val-data",
      tiny.tokensInt32.path, "--batch-size", "1", "--sequence-length", "\(tiny.sequenceLength)", "--steps",
      "\(steps)", "--val-every", "5", "--val-batches", "2", "--sample-every", "4", "--sample-length", "9",
      "--gradient-accumulation", "2", "--gradient-clip", "1", "--weight-decay", "0.01", "--schedule",
      "cosine",
      "--warmup-steps", "3", "--save", "run", "--save-every", "\(saveEvery)",
    ]
  }
}
