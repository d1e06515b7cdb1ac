import Foundation
import GPT2
import Testing

/// Every step's rate, beside the formulas of llm.c and nanoGPT in the arithmetic that those compute in.
@Suite struct LearningRateScheduleTests {
  private static let peak = 6e-4
  /// Steps, warm-up and lowest rate of runs: nanoGPT's character model, odd sizes, no warm-up, nothing else.
  private static let runs: [(steps: Int, warmup: Int, minimum: Double)] = [
    (2000, 100, 6e-5), (1003, 57, 0), (257, 0, 1e-4), (40, 40, 6e-5), (7, 1, 3e-4), (1, 0, 0),
  ]

  /// llmc/schedulers.h, in float: a rounding each for the operands, the quotient, the product and the sum, and of a
  /// cosine's argument up to π·ε: less than 8 ε of the peak.
  private static let tolerance = 8 * 0x1p-24 * peak

  private static func llmc(
    _ shape: LearningRateSchedule.Shape, _ step: Int, _ run: (steps: Int, warmup: Int, minimum: Double)
  ) -> Float {
    let (peak, minimum) = (Float(Self.peak), Float(run.minimum))
    if shape == .constant { return peak }
    if step < run.warmup { return peak * Float(step + 1) / Float(run.warmup) }
    if shape == .wsd {
      let start = Int(0.8 as Float * Float(run.steps))
      if step < start { return peak }
      let ratio = Float(step - start) / Float(run.steps - start)
      return minimum + (1 - ratio.squareRoot()) * (peak - minimum)
    }
    let ratio = Float(step - run.warmup) / Float(run.steps - run.warmup)
    if shape == .linear { return peak - ratio * (peak - minimum) }
    let coefficient = 0.5 * (1 + Foundation.cos(Float(Double.pi * Double(ratio))))
    return minimum + coefficient * (peak - minimum)
  }

  @Test(arguments: LearningRateSchedule.Shape.allCases)
  func everyStepIsThatOfLLMC(shape: LearningRateSchedule.Shape) {
    for run in Self.runs {
      // A constant rate has no warm-up there.
      let warmup = shape == .constant ? 0 : run.warmup
      let schedule = LearningRateSchedule(shape: shape, warmupSteps: warmup, minimum: run.minimum)
      for step in 0..<run.steps {
        let rate = schedule.rate(step: step, steps: run.steps, peak: Self.peak)
        #expect(abs(rate - Double(Self.llmc(shape, step, run))) <= Self.tolerance, "step \(step) of \(run)")
      }
    }
  }

  /// train.py's `get_lr`, with as many steps of decay as of the run; in float64: some ε of the peak.
  @Test func everyStepIsThatOfNanoGPT() {
    for run in Self.runs {
      let schedule = LearningRateSchedule(
        shape: .cosine, warmupSteps: run.warmup, warmup: .nanogpt, minimum: run.minimum)
      for step in 0..<run.steps {
        let expected: Double
        if step < run.warmup {
          expected = Self.peak * Double(step + 1) / Double(run.warmup + 1)
        } else {
          let ratio = Double(step - run.warmup) / Double(run.steps - run.warmup)
          let coefficient = 0.5 * (1 + Foundation.cos(Double.pi * ratio))
          expected = run.minimum + coefficient * (Self.peak - run.minimum)
        }
        let rate = schedule.rate(step: step, steps: run.steps, peak: Self.peak)
        #expect(abs(rate - expected) <= 8 * 0x1p-53 * Self.peak, "step \(step) of \(run)")
      }
    }
  }

  /// The step before the last of the ascent tells them apart.
  @Test func warmupsDifferByAStep() {
    func rates(_ warmup: LearningRateSchedule.Warmup) -> [Double] {
      let schedule = LearningRateSchedule(shape: .linear, warmupSteps: 4, warmup: warmup)
      return (0..<6).map { schedule.rate(step: $0, steps: 9, peak: 20) }
    }
    #expect(rates(.llmc) == [5, 10, 15, 20, 20, 16])
    #expect(rates(.nanogpt) == [4, 8, 12, 16, 20, 16])
  }

  @Test func wsdFallsOverItsLastSteps() {
    func rates(_ decay: Int?, warmup: Int = 0) -> [Double] {
      let schedule = LearningRateSchedule(
        shape: .wsd, warmupSteps: warmup, minimum: 2, decaySteps: decay)
      return (0...9).map { schedule.rate(step: $0, steps: 9, peak: 10) }
    }
    func fallen(_ ratio: Double) -> Double { 2 + 8 * (1 - ratio.squareRoot()) }
    let four: [Double] = [10, 10, 10, 10, 10, 10, 6, fallen(0.5), fallen(0.75), 2]
    #expect(rates(4) == four)
    let fifth: [Double] = [5, 10, 10, 10, 10, 10, 10, 10, fallen(0.5), 2]
    #expect(rates(nil, warmup: 2) == fifth)
    let all: [Double] = (0...9).map { fallen(Double($0) / 9) }
    #expect(rates(9) == all)
    // As many as llm.c has for every length of a run.
    for steps in 1...5000 {
      #expect(LearningRateSchedule().decaySteps(of: steps) == steps - Int(0.8 as Float * Float(steps)))
    }
  }
}
