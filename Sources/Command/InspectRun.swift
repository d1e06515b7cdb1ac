import GPT2
import JSON
import Machine
import Terminal

/// What a run directory, or one of its steps, tells.
struct RunSummary {
  private struct Kept {
    let number: Int
    let path: String
    /// nil where the step is damaged, which `damage` says.
    let step: RunStep?
    let damage: String?
  }

  private let path: String
  private let kept: [Kept]

  /// nil where `path` is no run.
  ///
  /// - Throws: `FileError`.
  /// - Complexity: reads every byte of the steps.
  init?(path: String) throws(FileError) {
    guard try Run.isRun(path) else { return nil }
    self.path = path
    kept = try Run.steps(in: path).map { number in
      let step = path + "/" + Run.name(ofStep: number)
      do { return Kept(number: number, path: step, step: try RunStep(path: step), damage: nil) } catch {
        return Kept(number: number, path: step, step: nil, damage: "\(error)")
      }
    }
  }

  /// The newest step that is whole.
  var newest: RunStep? { kept.last { $0.step != nil }?.step }

  /// - Throws: `FormatError`.
  func print() throws {
    var fields = [("file", path), ("kind", "run directory of gpt2 train --save")]
    if let progress = newest?.progress {
      fields += try Self.fields(progress, options: newest?.options() ?? [])
    }
    if kept.isEmpty { fields.append(("steps", "none is kept yet")) }
    Console.printFields(fields)
    if !kept.isEmpty { printSteps() }
    guard let newest else { return }
    Console.print()
    Console.printFields(
      try newest.options().map { ($0.name.replacing("_", with: "-"), $0.value.shown) }, width: 24)
  }

  private static func fields(
    _ progress: TrainingProgress, options: [(name: String, value: JSONText)]
  ) throws -> [(String, String)] {
    func span(_ losses: [TrainingProgress.Loss]) -> String? {
      guard let first = losses.first, let last = losses.last else { return nil }
      func text(_ loss: TrainingProgress.Loss) -> String {
        "\(NumberText.fixed(Double(loss.loss), 6)) at step \(loss.step)"
      }
      let lowest = losses.min { $0.loss < $1.loss } ?? last
      return "\(text(first)) to \(text(last)), the lowest \(text(lowest))"
    }
    let planned = options.first { $0.name == "steps" }.map { " of \($0.value.shown)" } ?? ""
    let position = progress.position
    return [
      ("steps", "\(progress.step)\(planned) done, \(progress.updateCount) updates"),
      ("loss", span(progress.trainingLosses) ?? "none"),
      ("validation", span(progress.validationLosses) ?? "none"),
      ("data", "goes on in file \(position.file), at token \(position.token) of \(position.fileTokens)"),
      ("samples", "\(progress.sampleCount)"),
    ]
  }

  private func printSteps() {
    let best = kept.compactMap { kept in kept.step?.progress.validationLoss.map { (kept.number, $0) } }
      .min { ($0.1, $0.0) < ($1.1, $1.0) }?.0
    Console.print()
    Console.print("kept step".padded(to: 12) + "size".padded(to: 14) + "validation".padded(to: 14) + "state")
    for kept in kept {
      let loss = kept.step?.progress.validationLoss.map { NumberText.fixed(Double($0), 6) } ?? "–"
      let state = kept.damage.map { "damaged: \($0)" } ?? (kept.number == best ? "whole, the best" : "whole")
      Console.print(
        "\(kept.number)".padded(to: 12) + Self.size(of: kept.path).padded(to: 14) + loss.padded(to: 14)
          + state.shown)
    }
  }

  private static func size(of directory: String) -> String {
    let files = (try? DirectoryTree(path: directory))?.files ?? []
    let bytes = files.reduce(0) { $0 + ((try? FileStatus(path: directory + "/" + $1))?.byteCount ?? 0) }
    return NumberText.bytes(bytes)
  }
}

extension JSONText {
  /// As people read it: a text without quotes.
  fileprivate var shown: String {
    if case .text(let text?) = self { text } else { encoded }
  }
}
