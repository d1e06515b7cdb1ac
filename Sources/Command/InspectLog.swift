import Machine
import Terminal

/// What the log of a training run tells, in a few lines.
struct TrainingLogSummary {
  private(set) var model: String?
  private(set) var trainingSteps = 0
  private(set) var lastStep: Int?
  private(set) var firstLoss, lastLoss, lastValidation, bestValidation: Double?
  private(set) var saves = 0
  private(set) var error: String?
  private(set) var hasEnded = false
  /// Whether the last line is cut off, as one is that a killed run was writing.
  private(set) var isCut = false

  /// Reads `gpt2 train --log`'s file line by line.
  ///
  /// - Throws: `FormatError` for a line, but for the last, that is no event.
  init(path: String) throws(FormatError) {
    isCut = try TrainingLogFile.read(path: path) { event in
      add(event.kind, event.texts, event.numbers)
      return nil
    }
  }

  private mutating func add(_ event: String, _ texts: [String: String], _ numbers: [String: Double]) {
    let loss = numbers["loss"]
    switch event {
    case "start": (model, hasEnded, error) = (texts["model"], false, nil)
    case "train":
      trainingSteps += 1
      lastStep = numbers["step"].flatMap { Int(exactly: $0) }
      firstLoss = firstLoss ?? loss
      lastLoss = loss
    case "validation":
      lastValidation = loss
      bestValidation = [bestValidation, loss].compactMap { $0 }.min()
    case "save": if texts["error"] == nil { saves += 1 }
    case "end": (hasEnded, error) = (true, texts["error"])
    default: break
    }
  }

  /// Names and texts.
  var lines: [(String, String)] {
    func loss(_ value: Double?) -> String { value.map { NumberText.fixed($0, 6) } ?? "none" }
    var lines = [
      ("model", model?.shortened ?? "unknown"),
      ("steps", "\(trainingSteps)\(lastStep.map { ", the last number \($0)" } ?? "")"),
      ("loss", "\(loss(firstLoss)) to \(loss(lastLoss))"),
      ("validation", "\(loss(lastValidation)), the lowest \(loss(bestValidation))"), ("saves", "\(saves)"),
    ]
    let end = hasEnded ? error.map { "with an error: \($0.shortened)" } ?? "whole" : "not yet, or killed"
    lines.append(("ended", isCut ? "\(end); the last line is cut off" : end))
    return lines
  }
}
