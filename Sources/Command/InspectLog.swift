import JSON
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
    var (rest, number): ([UInt8], Int) = ([], 0)
    func refuse(_ expected: String, _ found: String) -> FormatError {
      .mismatch(path: path, field: "line \(number)", expected: expected, found: found)
    }
    let file = try writing { () throws(FileError) in try FileReader(path: path) }
    var isAtEnd = false
    while !isAtEnd {
      // Of what was read before it is known that no line ends in it.
      var (start, searched) = (0, rest.count)
      do { isAtEnd = try file.read(appendingTo: &rest, limit: 1 << 20) == 0 } catch { throw .file(error) }
      while let end = rest[searched...].firstIndex(of: 0x0A) {
        number += 1
        guard add(Array(rest[start..<end])) else { throw refuse("an event of a training run", "none") }
        (start, searched) = (end + 1, end + 1)
      }
      rest.removeFirst(start)
      guard rest.count <= largestWholeFile else {
        number += 1
        throw refuse("at most \(largestWholeFile) bytes long", "longer")
      }
    }
    if !rest.isEmpty { isCut = !add(rest) }
  }

  /// Whether the line is an event.
  private mutating func add(_ line: [UInt8]) -> Bool {
    var event: String?
    var texts: [String: String] = [:]
    var numbers: [String: Double] = [:]
    var cursor = JSONCursor(line)
    do {
      try cursor.object { (name, cursor) throws(JSONError) in
        switch cursor.peek() {
        case "\"":
          let text = try cursor.string()
          if name == "event" { event = text } else { texts[name] = text }
        case "-", "0"..."9": numbers[name] = Double(try cursor.number())
        default: try cursor.skip()
        }
      }
      try cursor.finish()
    } catch { return false }
    guard let event else { return false }
    add(event, texts, numbers)
    return true
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
