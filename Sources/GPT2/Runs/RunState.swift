import JSON
import Machine
import Tokens

/// `state.json` of a kept step: all but the tensors.
package struct RunState {
  static let fileName = "state.json"
  private static let format = "gpt2 run"
  private static let version = 1

  let progress: TrainingProgress
  let options: JSONObject
  /// What the program was started with.
  let arguments: [String]

  /// - Throws: `FormatError`, naming the field that is off.
  package init(path: String) throws(FormatError) {
    let json = JSONObject(try JSONValue(path: path), path: path)
    guard try json.string("format") == Self.format else {
      throw json.mismatch("format", expected: "'\(Self.format)'", found: "'\(try json.string("format"))'")
    }
    guard try json.integer("version") == Self.version else {
      throw json.mismatch("version", expected: "\(Self.version)", found: "\(try json.integer("version"))")
    }
    options = try json.object("options")
    progress = try Self.progress(json)
    guard case .array(let values) = try json["arguments"] else {
      throw json.mismatch("arguments", expected: "an array of texts", found: "none")
    }
    arguments = values.compactMap { if case .string(let text) = $0 { text } else { nil } }
  }

  private static func progress(_ json: JSONObject) throws(FormatError) -> TrainingProgress {
    let place = try json.object("position")
    var progress = TrainingProgress(
      position: DataLoader.Position(
        file: try place.integer("file"), token: try place.integer("token"),
        fileTokens: try place.integer("file_tokens"),
        // Steps that were saved before there were other orders have none.
        window: try place["window"] == nil ? 0 : try place.count("window")),
      generator: XorshiftGenerator(seed: try json.hexadecimal("generator")))
    guard case .boolean(let isReported) = try json["reported"] else {
      throw json.mismatch("reported", expected: "true or false", found: "neither")
    }
    progress.step = try json.count("step")
    progress.isReported = isReported
    progress.updateCount = try json.count("update_count")
    progress.sampleCount = try json.count("sample_count")
    progress.trainingLosses = try json.losses("training_losses")
    // Steps that were saved before there was a guard against spikes have none.
    progress.gradientNorms = try json.numbers("gradient_norms") ?? []
    progress.validationLosses = try json.losses("validation_losses")
    return progress
  }

  /// - Parameter arguments: as in `Run.init`.
  static func text(_ trainer: Trainer, arguments: [String]) -> String {
    let progress = trainer.progress
    let json = JSONText.object([
      ("format", .text(format)), ("version", .integer(version)), ("step", .integer(progress.step)),
      ("reported", .boolean(progress.isReported)), ("update_count", .integer(progress.updateCount)),
      (
        "position",
        .object([
          ("file", .integer(progress.position.file)), ("token", .integer(progress.position.token)),
          ("file_tokens", .integer(progress.position.fileTokens)),
          ("window", .integer(progress.position.window)),
        ])
      ),
      ("generator", .text(Checksum.text(progress.generator.state))),
      ("sample_count", .integer(progress.sampleCount)),
      ("validation_loss", progress.validationLoss.map { .float($0) } ?? .null),
      ("options", RunOptions(trainer).json), ("arguments", .array(arguments.map { .text($0) })),
      ("training_losses", losses(progress.trainingLosses)),
      ("gradient_norms", .array(progress.gradientNorms.map { .double($0) })),
      ("validation_losses", losses(progress.validationLosses)),
    ])
    return json.indented + "\n"
  }

  private static func losses(_ losses: [TrainingProgress.Loss]) -> JSONText {
    .array(losses.map { .array([.integer($0.step), .float($0.loss)]) })
  }
}

extension JSONObject {
  /// An integer from 0 up that may be counted on.
  fileprivate func count(_ field: String) throws(FormatError) -> Int {
    let value = try integer(field)
    guard (0...1 << 53).contains(value) else {
      throw mismatch(field, expected: "in 0...2⁵³", found: "\(value)")
    }
    return value
  }

  /// 64 bits, all of which JSON's numbers do not hold everywhere.
  fileprivate func hexadecimal(_ field: String) throws(FormatError) -> UInt64 {
    let text = try string(field)
    guard text.utf8.count == 16, let value = UInt64(text, radix: 16) else {
      throw mismatch(field, expected: "16 hexadecimal digits", found: "'\(text.shortened)'")
    }
    return value
  }

  /// nil where there is no such field.
  fileprivate func numbers(_ field: String) throws(FormatError) -> [Double]? {
    guard let found = try self[field] else { return nil }
    guard case .array(let values) = found else {
      throw mismatch(field, expected: "an array of numbers", found: found.kind)
    }
    var numbers: [Double] = []
    for value in values {
      switch value {
      case .number(let number): numbers.append(number)
      case .integer(let number): numbers.append(Double(number))
      default: throw mismatch(field, expected: "an array of numbers", found: "one with \(value.kind) in it")
      }
    }
    return numbers
  }

  /// Pairs of a step and a loss.
  fileprivate func losses(_ field: String) throws(FormatError) -> [TrainingProgress.Loss] {
    guard case .array(let values) = try self[field] else {
      throw mismatch(field, expected: "an array of steps and losses", found: "none")
    }
    var losses: [TrainingProgress.Loss] = []
    for value in values {
      guard case .array(let pair) = value, pair.count == 2, case .integer(let step) = pair[0] else {
        throw mismatch(field, expected: "an array of steps and losses", found: "one with \(value.kind) in it")
      }
      switch pair[1] {
      // The shortest digits that give a Float back give it back by way of Double, too: RunStateTests.
      case .number(let loss): losses.append(TrainingProgress.Loss(step: step, loss: Float(loss)))
      case .integer(let loss): losses.append(TrainingProgress.Loss(step: step, loss: Float(loss)))
      default: throw mismatch(field, expected: "losses that are numbers", found: pair[1].kind)
      }
    }
    return losses
  }
}

extension Checksum {
  /// As files have it: 16 hexadecimal digits.
  static func text(_ value: UInt64) -> String {
    let digits = String(value, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }
}
