import GPT2
import Terminal
import Tokens

/// What a run prints: results to standard output, and how far it is to standard error on a terminal.
struct TrainingReport {
  private let steps: Int
  private let stepWidth: Int
  /// Only every so many steps, and the last, have a line; 0: none. The log has all.
  private let shownInterval: Int
  private var live: LiveLine

  init(steps: Int, shownInterval: Int, live: LiveLine) {
    self.steps = steps
    self.shownInterval = shownInterval
    self.live = live
    stepWidth = max(4, "\(steps)".count)
  }

  mutating func show(_ event: TrainingEvent) {
    switch event {
    case .train(let step):
      let isDue = shownInterval > 0 && (step.step.isMultiple(of: shownInterval) || step.step == steps - 1)
      if isDue || step.judgement?.skipped != nil {
        printResult(line(step))
      }
    case .validation(let step, let loss):
      printResult("\(label(step))  val loss \(NumberText.fixed(Double(loss), 6))")
    case .sample(let step, let tokens, let text):
      let body = text?.withoutControlCharacters ?? tokens.map(String.init).joined(separator: " ")
      printResult(
        "\(label(step))  sample\n---\n\(body.hasSuffix("\n") ? String(body.dropLast()) : body)\n---")
    }
    live.add(event)
  }

  private func label(_ step: Int) -> String { "step " + "\(step)".aligned(to: stepWidth) }

  private func line(_ step: TrainingStep) -> String {
    let milliseconds = NumberText.fixed(step.seconds * 1000, 1).aligned(to: 9)
    let rate = NumberText.fixed(step.tokensPerSecond, 0).aligned(to: 8)
    return "\(label(step.step))  loss \(NumberText.fixed(Double(step.loss), 6).aligned(to: 9))"
      + "  \(milliseconds) ms  \(rate) tok/s  lr \(NumberText.scientific(step.learningRate))"
      + "  norm \(NumberText.fixed(step.gradientNorm, 4))" + skipText(step.judgement)
  }

  private func skipText(_ judgement: SpikeGuard.Judgement?) -> String {
    guard let judgement, let cause = judgement.skipped else { return "" }
    let score = (cause == .loss ? judgement.loss : judgement.norm) ?? .nan
    return
      "  update skipped: the \(cause.rawValue) is \(NumberText.fixed(score, 1)) standard deviations above the mean"
  }

  private func printResult(_ text: String) {
    Console.clearProgress()
    Console.print(text)
  }
}
