import Foundation
import GPT2
import Machine
import TestSupport
import Testing

@Suite struct RunKeepingTests {
  private func steps(_ path: String) throws -> [String] {
    try Directory.names(in: path).filter { $0.hasPrefix("step-") }.map { String($0.suffix(2)) }
  }

  // MARK: - What is kept

  @Test func theNewestAreKeptAndTheBest() throws {
    let scratch = try ScratchDirectory()
    let path = scratch.path + "/run"
    // Diverges slowly: the first validated step stays the best.
    let options = RunCase.options {
      $0.steps = 9
      $0.validationInterval = 1
      $0.schedule.shape = .constant
      $0.optimizer.learningRate = 0.05
    }
    let trainer = try RunCase.trainer(options)
    let run = try Run(path: path, keep: 2)
    try trainer.run(report: { _ in }, atStep: { if $0 > 0 { try run.save(trainer) } })
    let losses = trainer.progress.validationLosses.filter { $0.step > 0 }
    let best = try #require(losses.min { $0.loss < $1.loss }).step
    let expected = Set([8, 9, best]).sorted().map { "0\($0)" }
    #expect(try steps(path) == expected)
    // Those who open the directory again know the best, too.
    let again = try RunCase.trainer(
      RunCase.options {
        $0 = options
        $0.steps = 12
      })
    let second = try reopened(run, path: path)
    try #require(try second.newest().step).restore(again)
    try again.run(report: { _ in }, atStep: { _ in try second.save(again) })
    let all = again.progress.validationLosses.filter { $0.step > 0 }
    let bestOfAll = try #require(all.min { $0.loss < $1.loss }).step
    #expect(try steps(path) == Set([11, 12, bestOfAll]).sorted().map { $0 < 10 ? "0\($0)" : "\($0)" })
  }

  /// A run keeps its lock as long as it lives: copied, the directory has none.
  private func reopened(_ run: Run, path: String) throws -> Run {
    try FileManager.default.removeItem(atPath: path + "/lock")
    return try Run(path: path, keep: run.keep)
  }

  @Test func remainsOfKilledWritersAreRemoved() throws {
    let scratch = try ScratchDirectory()
    try scratch.write([1], to: "run/step-00000003.temporary-17-1/model/config.json")
    _ = try Run(path: scratch.path + "/run")
    #expect(try Directory.names(in: scratch.path + "/run") == ["lock"])
  }

  @Test func anotherWriterIsToldWhoHasIt() throws {
    let scratch = try ScratchDirectory()
    let run = try Run(path: scratch.path + "/run")
    let message = sentence { _ = try Run(path: scratch.path + "/run") } ?? ""
    let process = ProcessInfo.processInfo.processIdentifier
    #expect(message.contains("process \(process) writes to it"), "\(message)")
    withExtendedLifetime(run) {}
  }

  @Test func aRunIsNotBegunWhereOneIs() throws {
    let scratch = try ScratchDirectory()
    let run = try Run(path: scratch.path + "/run")
    try run.checkNew()
    try run.save(try RunCase.trainer())
    #expect(sentence { try run.checkNew() }?.contains("holds a run at step 0") == true)
    let later = try RunCase.trainer()
    try RunCase.run(later, savingTo: run, until: 4)
    let other = try RunCase.trainer()
    try RunCase.run(other, until: 2)
    #expect(sentence { try run.save(other) }?.contains("holds a run at step 3") == true)
  }

  // MARK: - Damage

  /// A run with the steps 3 and 6.
  private func saved(_ scratch: ScratchDirectory) throws -> String {
    let path = scratch.path + "/run"
    try RunCase.run(try RunCase.trainer(), savingTo: try Run(path: path), until: 7)
    return path
  }

  private static let files = [
    "model/config.json", "model/model.safetensors", "optimizer.safetensors", "state.json", "manifest.json",
  ]

  @Test(arguments: files) func aDamagedStepIsNamedAndTheOneBeforeUsed(file: String) throws {
    let scratch = try ScratchDirectory()
    let path = try saved(scratch)
    let url = URL(fileURLWithPath: path + "/step-00000006/" + file)
    let bytes = try Data(contentsOf: url)
    var flipped = bytes
    flipped[bytes.count / 2] ^= 0x10
    for (damage, content) in [
      ("missing", nil), ("empty", Data()), ("cut", bytes.dropLast(20)), ("longer", bytes + [0x20]),
      ("another bit", flipped),
    ] {
      if damage == "longer", file == "manifest.json" { continue }
      if let content { try content.write(to: url) } else { try FileManager.default.removeItem(at: url) }
      let found = try Run.newest(in: path)
      #expect(found.step?.progress.step == 3, "\(damage)")
      #expect(found.damages.count == 1 && "\(found.damages)".contains("step-00000006"), "\(found.damages)")
      #expect(try Checkpoint(path: path).damages.count == 1)
      try bytes.write(to: url)
      #expect(try Run.newest(in: path).step?.progress.step == 6)
    }
  }

  @Test func aDamagedStepMakesRoomForTheNewOne() throws {
    let scratch = try ScratchDirectory()
    let path = try saved(scratch)
    try Data().write(to: URL(fileURLWithPath: path + "/step-00000006/state.json"))
    let run = try Run(path: path)
    let trainer = try RunCase.trainer()
    try #require(try run.newest().step).restore(trainer)
    try RunCase.run(trainer, savingTo: run, until: 7)
    #expect(try Run.newest(in: path).step?.progress.step == 6)
    #expect(try steps(path) == ["03", "06"])
  }

  @Test func withoutAWholeStepEachDamageIsNamed() throws {
    let scratch = try ScratchDirectory()
    let path = try saved(scratch)
    for step in [3, 6] {
      try FileManager.default.removeItem(atPath: path + "/step-0000000\(step)/manifest.json")
    }
    let message = sentence { _ = try Run.newest(in: path) } ?? ""
    #expect(message.contains("step-00000003") && message.contains("step-00000006"), "\(message)")
    #expect(sentence { _ = try Checkpoint(path: path) } != nil)
  }

  /// Valid, and of another step than its name says.
  @Test func aRenamedStepIsDamaged() throws {
    let scratch = try ScratchDirectory()
    let path = try saved(scratch)
    try FileManager.default.moveItem(atPath: path + "/step-00000006", toPath: path + "/step-00000007")
    let found = try Run.newest(in: path)
    #expect(found.step?.progress.step == 3 && "\(found.damages)".contains("7, as the directory's name says"))
  }

  // MARK: - Contradictions

  @Test func whatDecidesTheBitsMayNotChange() throws {
    let scratch = try ScratchDirectory()
    let step = try #require(try Run.newest(in: try saved(scratch)).step)
    let changes: [(String, (inout TrainingOptions) -> Void)] = [
      ("seed should stay 1337", { $0.seed = 1 }),
      ("gradient-accumulation should stay 2", { $0.gradientAccumulation = 1 }),
      ("weight-decay should stay 0.01", { $0.optimizer.weightDecay = 0 }),
      ("decay should stay all", { $0.optimizer.decay = .matrices }),
      ("gradient-clip should stay 1.0", { $0.gradientClip = 2 }),
      ("schedule should stay cosine", { $0.schedule.shape = .linear }),
      ("warmup-steps should stay 2", { $0.schedule.warmupSteps = 3 }),
    ]
    for (expected, change) in changes {
      let trainer = try RunCase.trainer(RunCase.options(change))
      let before = try RunCase.tensors(trainer)
      let message = sentence { try step.restore(trainer) } ?? ""
      #expect(message.contains(expected), "\(message)")
      #expect(firstDifference(try RunCase.tensors(trainer), before) == nil && trainer.progress.step == 0)
    }
    let batches = try RunCase.trainer(batchSize: 2)
    #expect(sentence { try step.restore(batches) }?.contains("batch-size should stay 1, ") == true)
  }

  @Test func stepsRatesAndIntervalsMayChange() throws {
    let scratch = try ScratchDirectory()
    let step = try #require(try Run.newest(in: try saved(scratch)).step)
    let trainer = try RunCase.trainer(
      RunCase.options {
        ($0.steps, $0.validationInterval, $0.sampleInterval, $0.validationBatches) = (20, 7, 0, 1)
        $0.optimizer.learningRate = 1e-3
        $0.schedule.minimum = 1e-5
      })
    trainer.model.recomputation = .blocks
    try step.restore(trainer)
    #expect(trainer.progress.step == 6)
  }
}
