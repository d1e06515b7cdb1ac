import Foundation
import GPT2
import TestSupport
import Testing
import Tokens

@Suite struct SpikeGuardTests {
  /// Alternating, so that mean and deviation are known: of 128 values x stands (x − μ) / σ off.
  private static let earlier = (0..<128).map { $0.isMultiple(of: 2) ? 1.0 : 3.0 }

  /// llm.c's sums of values and squares, the oldest value replaced by the new one.
  private func score(_ value: Double, after earlier: [Double]) -> Double {
    let window = earlier.dropFirst(earlier.count - 127) + [value]
    let mean = window.reduce(0, +) / 128
    return (value - mean) / (window.reduce(0) { $0 + $1 * $1 } / 128 - mean * mean).squareRoot()
  }

  @Test func scoresAreThoseOfLLMC() throws {
    let guardian = SpikeGuard(lossLimit: 5, normLimit: 3)
    for value in [0.5, 2, 4, 9, 1e6] {
      let judgement = guardian.judge(loss: value, norm: 2 * value, after: Self.earlier, Self.earlier)
      for (found, expected) in [
        (judgement.loss, score(value, after: Self.earlier)),
        (judgement.norm, score(2 * value, after: Self.earlier)),
      ] {
        // Both sum 128 numbers: some roundings each, of squares up to a million times their variance.
        #expect(abs(try #require(found) - expected) <= 1e-9)
      }
    }
    // Only the last 127 count.
    let long = [100, 200] + Self.earlier
    #expect(
      guardian.judge(loss: 9, norm: 9, after: long, long)
        == guardian.judge(loss: 9, norm: 9, after: Self.earlier, Self.earlier))
    // All but one are alike.
    let ones = [Double](repeating: 1, count: 128)
    let largest = guardian.judge(loss: 2, norm: 1, after: ones, ones)
    #expect(abs(try #require(largest.loss) - SpikeGuard.largest) < 1e-12 && largest.norm == 0)
  }

  @Test func whatStandsOutIsSkipped() {
    func skipped(_ guardian: SpikeGuard, _ loss: Double, _ norm: Double, _ count: Int = 128) -> SpikeGuard
      .Cause?
    {
      let earlier = Array(Self.earlier.prefix(count))
      return guardian.judge(loss: loss, norm: norm, after: earlier, earlier).skipped
    }
    let both = SpikeGuard(lossLimit: 5, normLimit: 5)
    #expect(skipped(both, 12, 2) == .loss && skipped(both, 2, 12) == .norm && skipped(both, 12, 12) == .loss)
    // Neither what is usual, nor what is far below, nor anything before there are 128 values.
    #expect(skipped(both, 3, 3) == nil && skipped(both, -12, -12) == nil && skipped(both, 12, 12, 127) == nil)
    #expect(
      skipped(SpikeGuard(lossLimit: 5), 2, 1e9) == nil && skipped(SpikeGuard(normLimit: 5), 1e9, 2) == nil)
    #expect(!SpikeGuard().isOn && both.isOn && SpikeGuard(lossLimit: 1).isOn && SpikeGuard(normLimit: 1).isOn)
  }

  // MARK: - In a run

  /// Batches of one kind, then one of another: tokens that never follow each other elsewhere.
  private static func loader() throws -> DataLoader {
    let tiny = RunCase.tiny
    var tokens = (0..<(140 * 11 + 1)).map { Int32($0 % 3) }
    for position in 132 * 11..<133 * 11 { tokens[position] = Int32(3 + position * 7 % 26) }
    return try DataLoader(
      files: [TokenFile(name: "tokens", tokens: tokens)], batchSize: 1, sequenceLength: 11,
      vocabularySize: tiny.vocabulary)
  }

  private func trainer(
    _ guardian: SpikeGuard, threads: Int = 2, change: (inout TrainingOptions) -> Void = { _ in }
  ) throws -> Trainer {
    let options = RunCase.options {
      $0.steps = 140
      ($0.validationInterval, $0.sampleInterval, $0.gradientAccumulation) = (0, 0, 1)
      $0.optimizer.learningRate = 1e-2
      $0.spikeGuard = guardian
      change(&$0)
    }
    return try Trainer(
      model: try RunCase.tiny.model(threads: threads), training: try Self.loader(), options: options)
  }

  private func steps(_ trainer: Trainer, until last: Int = .max) throws -> [TrainingStep] {
    var steps: [TrainingStep] = []
    try trainer.run(
      report: { if case .train(let step) = $0 { steps.append(step) } },
      shouldStop: { trainer.progress.step >= last })
    return steps
  }

  @Test(arguments: [SpikeGuard(lossLimit: 5), SpikeGuard(normLimit: 5)])
  func theUpdateOfASpikeIsNotTaken(guardian: SpikeGuard) throws {
    let trainer = try trainer(guardian)
    _ = try steps(trainer, until: 132)
    let before = try RunCase.tensors(trainer)
    let spike = try steps(trainer, until: 133)
    #expect(spike.first?.judgement?.skipped == (guardian.lossLimit > 0 ? .loss : .norm))
    #expect(firstDifference(try RunCase.tensors(trainer), before) == nil)
    #expect(trainer.progress.step == 133 && trainer.progress.updateCount == 132)
    #expect(trainer.progress.trainingLosses.count == 133 && trainer.progress.gradientNorms.count == 128)
    let rest = try steps(trainer)
    #expect(rest.allSatisfy { $0.judgement?.skipped == nil } && trainer.progress.updateCount == 139)
    // Without a guard it is taken, and nothing is judged.
    let free = try self.trainer(SpikeGuard())
    #expect(try steps(free).allSatisfy { $0.judgement == nil } && free.progress.updateCount == 140)
    #expect(firstDifference(try RunCase.tensors(free), try RunCase.tensors(trainer)) != nil)
  }

  /// The mean over a step's batches and the norm before clipping, as the step reports them. The batch of another kind
  /// comes again as the first of step 136.
  @Test func whatIsReportedIsJudged() throws {
    let guardian = SpikeGuard(lossLimit: 11, normLimit: 11)
    let trainer = try trainer(guardian) {
      ($0.steps, $0.gradientAccumulation, $0.gradientClip) = (138, 2, 0.1)
    }
    var (losses, norms): ([Double], [Double]) = ([], [])
    for step in try steps(trainer) {
      let expected = guardian.judge(loss: Double(step.loss), norm: step.gradientNorm, after: losses, norms)
      #expect(step.judgement == expected, "step \(step.step)")
      losses.append(Double(step.loss))
      norms.append(step.gradientNorm)
    }
    #expect(losses.count == 138 && norms[136] > 0.1)
  }

  /// The values that it compares with are saved.
  @Test func aResumedRunSkipsTheSame() throws {
    let guardian = SpikeGuard(lossLimit: 5, normLimit: 5)
    let whole = try trainer(guardian)
    let all = try steps(whole)
    #expect(all.map { $0.judgement?.skipped != nil } == (0..<140).map { $0 == 132 })
    for last in [100, 131, 132, 133] {
      let scratch = try ScratchDirectory()
      let run = try Run(path: scratch.path + "/run")
      let first = try trainer(guardian)
      _ = try steps(first, until: last)
      try run.save(first)
      let second = try trainer(guardian, threads: 1)
      try #require(try run.newest().step).restore(second)
      #expect(try steps(second).map(\.judgement) == all.dropFirst(last).map(\.judgement))
      #expect(firstDifference(try RunCase.tensors(second), try RunCase.tensors(whole)) == nil)
      #expect(second.progress == whole.progress)
    }
  }
}
