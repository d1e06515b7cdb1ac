import GPT2
import Operators
import Terminal

/// Where a run is, in one line on a terminal.
struct LiveLine {
  private let steps: Int
  /// The first that this process runs.
  private let firstStep: Int
  /// That a token would take, by the machine's arithmetic alone; nil where that is not known.
  private let secondsAtPeak: Double?
  private let start = ContinuousClock.now
  private var loss = MovingMean(), secondsPerToken = MovingMean()
  private var validation: Float?

  init(steps: Int, firstStep: Int, secondsAtPeak: Double? = nil) {
    (self.steps, self.firstStep, self.secondsAtPeak) = (steps, firstStep, secondsAtPeak)
  }

  mutating func add(_ event: TrainingEvent) {
    switch event {
    case .validation(_, let loss): validation = loss
    case .sample: break
    case .train(let step):
      loss.add(Double(step.loss))
      secondsPerToken.add(step.seconds / Double(step.tokens))
      guard step.step + 1 < steps else { return Console.clearProgress() }
      Console.showProgress(line(step))
    }
  }

  private func line(_ step: TrainingStep) -> ProgressLine {
    func loss(_ value: Double) -> String { NumberText.fixed(value, 4) }
    let done = step.step + 1
    let seconds = (.now - start) / .seconds(1) / Double(done - firstStep) * Double(steps - done)
    var line = ProgressLine()
    line.add("\(done) of \(steps) steps", importance: 9)
    line.add("loss \(loss(Double(step.loss)))", importance: 7)
    line.add("smoothed \(loss(self.loss.mean))", importance: 6)
    if let validation { line.add("val \(loss(Double(validation)))", importance: 5) }
    line.add("lr \(NumberText.short(step.learningRate))", importance: 2)
    line.add("norm \(NumberText.fixed(step.gradientNorm, 2))", importance: 3)
    line.add("\(NumberText.fixed(1 / secondsPerToken.mean, 0)) tok/s", importance: 4)
    if let secondsAtPeak {
      line.add("\(NumberText.fixed(secondsAtPeak / secondsPerToken.mean * 100, 0)) % of peak", importance: 1)
    }
    line.add("\(NumberText.duration(seconds: seconds)) left", importance: 8)
    return line
  }
}

/// A mean in which what is longer ago counts for less: the last value a fiftieth, once there are many.
struct MovingMean {
  private static let weight = 0.98
  private var sum = 0.0
  private var weights = 0.0

  mutating func add(_ value: Double) {
    sum = sum * Self.weight + value
    weights = weights * Self.weight + 1
  }

  /// NaN before the first value.
  var mean: Double { sum / weights }
}
