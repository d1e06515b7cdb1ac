import Foundation
import GPT2
import Machine
import Operators
import TestSupport
import Testing
import Tokens

@Suite struct RunTests {
  // MARK: - Round trips

  @Test func aSavedStepHoldsEverything() throws {
    let scratch = try ScratchDirectory()
    let path = scratch.path + "/run"
    let saved = try RunCase.trainer()
    let run = try Run(path: path)
    run.arguments = ["--steps", "10"]
    try RunCase.run(saved, savingTo: run, until: 7)
    let step = try #require(try run.newest().step)
    #expect(step.path == path + "/step-00000006" && step.arguments == ["--steps", "10"])
    // The saved run has gone on by a step: another one to the same place.
    let same = try RunCase.trainer()
    try RunCase.run(same, until: 6)
    let resumed = try RunCase.trainer()
    try step.restore(resumed)
    #expect(firstDifference(try RunCase.tensors(resumed), try RunCase.tensors(same)) == nil)
    #expect(resumed.progress.step == 6 && resumed.progress.updateCount == 6)
    #expect(resumed.progress.isReported && !same.progress.isReported)
    #expect(resumed.progress.position == same.progress.position)
    #expect(resumed.progress.trainingLosses == same.progress.trainingLosses)
    #expect(resumed.progress.trainingLosses.count == 6)
    // Step 6 was validated and sampled before it was saved.
    #expect(resumed.progress.validationLosses.map(\.step) == [0, 3, 6] && resumed.progress.sampleCount == 3)
    #expect(resumed.progress.validationLoss == resumed.progress.validationLosses[2].loss)
    // Nothing but the steps and the lock.
    #expect(try Directory.names(in: path) == ["lock", "step-00000003", "step-00000006"])
  }

  /// Losses, samples, validations, parameters and moments, on other threads and with every instruction set.
  @Test(arguments: InstructionSet.available)
  func aResumedRunHasTheBitsOfOneThatWasNot(instructionSet: InstructionSet) throws {
    let whole = try RunCase.trainer()
    let events = try RunCase.run(whole)
    for (last, saved) in [(4, 3), (5, 5), (8, 8), (9, 6), (10, 9)] {
      let scratch = try ScratchDirectory()
      let path = scratch.path + "/run"
      let first = try RunCase.trainer(threads: 1)
      do {
        let run = try Run(path: path)
        _ = try RunCase.run(first, savingTo: run, until: last)
        // As a signal would: wherever the run stops.
        if last == saved { try run.save(first) }
      }
      let second = try RunCase.trainer(threads: 3, instructionSet: instructionSet)
      let run = try Run(path: path)
      let step = try #require(try run.newest().step)
      #expect(step.progress.step == saved && step.progress.isReported == (last != saved))
      try step.restore(second)
      let resumedEvents = try RunCase.run(second, savingTo: run)
      #expect(resumedEvents == Array(events.suffix(resumedEvents.count)) && !resumedEvents.isEmpty)
      #expect(firstDifference(try RunCase.tensors(second), try RunCase.tensors(whole)) == nil)
      #expect(second.progress == whole.progress)
    }
  }

  /// Masks are numbered by the step and the batch in it: two to a step.
  @Test func aResumedRunDropsWhatOneThatWasNotDoes() throws {
    let options = RunCase.options { $0.dropout = 0.3 }
    let whole = try RunCase.trainer(options)
    let events = try RunCase.run(whole)
    #expect(events != (try RunCase.run(try RunCase.trainer())))
    // With another seed the batches are the same, and the masks are not.
    let reseeded = try RunCase.run(try RunCase.trainer(RunCase.options { ($0.dropout, $0.seed) = (0.3, 4) }))
    #expect(reseeded.first { $0.hasPrefix("train") } != events.first { $0.hasPrefix("train") })
    let scratch = try ScratchDirectory()
    let run = try Run(path: scratch.path + "/run")
    try RunCase.run(try RunCase.trainer(options, threads: 1), savingTo: run, until: 4)
    let step = try #require(try run.newest().step)
    #expect(throws: RunError.self) { try step.restore(try RunCase.trainer()) }
    let second = try RunCase.trainer(options, threads: 3)
    try step.restore(second)
    let resumed = try RunCase.run(second)
    #expect(resumed == Array(events.suffix(resumed.count)) && !resumed.isEmpty)
    #expect(firstDifference(try RunCase.tensors(second), try RunCase.tensors(whole)) == nil)
  }

  @Test func everyOptimizerIsSavedByItsSlots() throws {
    let optimizers: [(any Optimizer, slots: [String])] = [
      (SGD(momentum: 0), []), (SGD(momentum: 0.9), ["momentum"]),
      (Muon(others: AdamW(learningRate: 1e-3)), ["first_moment", "second_moment"]),
    ]
    for (optimizer, slots) in optimizers {
      let options = RunCase.options { $0.optimizer = optimizer }
      let scratch = try ScratchDirectory()
      let whole = try RunCase.trainer(options)
      try RunCase.run(whole)
      let first = try RunCase.trainer(options)
      let run = try Run(path: scratch.path + "/run")
      try RunCase.run(first, savingTo: run, until: 4)
      let file = try SafetensorsFile(path: scratch.path + "/run/step-00000003/optimizer.safetensors")
      let parts = 2 + 2 + 12 * RunCase.tiny.layers
      #expect(file.entries.count == parts * slots.count)
      #expect(Set(file.entries.map { String($0.name.prefix { $0 != "." }) }) == Set(slots))
      let second = try RunCase.trainer(options, threads: 1, instructionSet: .portable)
      try #require(try run.newest().step).restore(second)
      try RunCase.run(second)
      #expect(firstDifference(try RunCase.tensors(second), try RunCase.tensors(whole)) == nil)
    }
  }

  /// What is saved then goes on with that step's batches.
  @Test func aStepThatFailsLeavesThePositionWhereItBegan() throws {
    let trainer = try RunCase.trainer(RunCase.options { $0.optimizer.learningRate = 1e30 })
    #expect(throws: TrainingError.self) { try RunCase.run(trainer) }
    var loader = try RunCase.loader()
    for _ in 0..<2 * trainer.progress.step { try loader.nextBatch() }
    #expect(trainer.progress.step > 0 && trainer.progress.position == loader.position)
  }

  /// An update that is due is taken before anything is written.
  @Test func aDueUpdateIsSaved() throws {
    let scratch = try ScratchDirectory()
    let run = try Run(path: scratch.path + "/run")
    let options = RunCase.options { ($0.validationInterval, $0.sampleInterval) = (0, 0) }
    let trainer = try RunCase.trainer(options)
    try trainer.run(report: { event in
      if case .train(let step) = event, step.step == 1 { try run.save(trainer) }
    })
    let resumed = try RunCase.trainer(options)
    try #require(try run.newest().step).restore(resumed)
    let same = try RunCase.trainer(options)
    try RunCase.run(same, until: 2)
    #expect(firstDifference(try RunCase.tensors(resumed), try RunCase.tensors(same)) == nil)
  }

  /// Whatever training does while it is written: here all that is left of the run comes between.
  @Test func aCopyHoldsWhatWasThereWhenItWasTaken() throws {
    let scratch = try ScratchDirectory()
    let path = scratch.path + "/step-00000004"
    let trainer = try RunCase.trainer()
    try RunCase.run(trainer, until: 4)
    let snapshot = try RunSnapshot(of: trainer).copied(context: trainer.model.context)
    let tensors = try RunCase.tensors(trainer)
    let progress = trainer.progress
    try RunCase.run(trainer)
    try snapshot.write(to: path, context: ExecutionContext(threads: 1))
    let resumed = try RunCase.trainer()
    try RunStep(path: path).restore(resumed)
    #expect(firstDifference(try RunCase.tensors(resumed), tensors) == nil)
    #expect(resumed.progress == progress && progress.step == 4)
  }

  /// Written beside training, the steps are those of a run that waited for its saves.
  @Test func stepsWrittenBesideTrainingAreTheSame() throws {
    let scratch = try ScratchDirectory()
    let (waiting, beside) = (try RunCase.trainer(), try RunCase.trainer())
    let (first, second) = (
      try Run(path: scratch.path + "/1", keep: 9), try Run(path: scratch.path + "/2", keep: 9)
    )
    try RunCase.run(waiting, savingTo: first)
    try beside.run(
      report: { _ in }, atStep: { if $0 > 0, $0.isMultiple(of: 3) { try second.beginSaving(beside) } })
    try second.finishSaving()
    #expect(!second.isSaving)
    let names = ["lock", "step-00000003", "step-00000006", "step-00000009"]
    #expect(try Directory.names(in: second.path) == names)
    for name in names.dropFirst() {
      for file in ["model/model.safetensors", "optimizer.safetensors", "state.json"] {
        let files = [first, second].map { URL(fileURLWithPath: "\($0.path)/\(name)/\(file)") }
        #expect(try Data(contentsOf: files[0]) == Data(contentsOf: files[1]), "\(name)/\(file)")
      }
    }
  }

  @Test func aSaveThatFailsBesideTrainingIsSaid() throws {
    let scratch = try ScratchDirectory()
    let path = scratch.path + "/run"
    let trainer = try RunCase.trainer()
    let run = try Run(path: path)
    try RunCase.run(trainer, savingTo: run, until: 4)
    // No directory can take the place of a file.
    try scratch.write([1], to: "run/step-00000004")
    try run.beginSaving(trainer)
    let error = #expect(throws: RunError.self) { try run.finishSaving() }
    #expect(
      error?.description.contains("step-00000004 cannot be written") == true, "\(error?.description ?? "")")
    #expect(try Directory.names(in: path) == ["lock", "step-00000003", "step-00000004"])
    // Said once, and nothing hinders the next save.
    try run.finishSaving()
    try RunCase.run(trainer, until: 5)
    try run.save(trainer)
    #expect(try run.newest().step?.progress.step == 5)
  }

  @Test func lossesComeBackToTheBit() throws {
    let scratch = try ScratchDirectory()
    let trainer = try RunCase.trainer()
    try RunCase.run(trainer)
    let run = try Run(path: scratch.path + "/run")
    let step = try RunStep(path: try run.save(trainer))
    #expect(step.progress == trainer.progress)
    // Of all magnitudes: shortest digits, read as Double, rounded to Float.
    var random = TestRandom(seed: 5)
    for _ in 0..<20_000 {
      let value = Float(bitPattern: UInt32(truncatingIfNeeded: random.next()))
      guard value.isFinite else { continue }
      #expect(Float(Double("\(value)") ?? .nan).bitPattern == value.bitPattern)
    }
  }

  @Test func theModelIsACheckpoint() throws {
    let scratch = try ScratchDirectory()
    let trainer = try RunCase.trainer()
    let run = try Run(path: scratch.path + "/run")
    run.tokenizer = .bytes
    run.modelFiles = [("vocab.json", [0x7B, 0x7D])]
    let path = try run.save(trainer)
    for found in [scratch.path + "/run", path, path + "/model"] {
      let checkpoint = try Checkpoint(path: found)
      #expect(checkpoint.path == path + "/model" && checkpoint.damages.isEmpty)
      let model = try Model(checkpoint: checkpoint, context: ExecutionContext(threads: 1))
      #expect(firstDifference(model.parameters.arrays, trainer.model.parameters.arrays) == nil)
    }
    #expect(try Data(contentsOf: URL(fileURLWithPath: path + "/model/vocab.json")) == Data("{}".utf8))
    #expect(try Tokenizer(path: path + "/model/gpt2_tokenizer.bin").vocabularySize == 257)
  }

  /// Steps that were saved before there was another order than that of the files.
  @Test func aStepWithoutAnOrderIsSequential() throws {
    let scratch = try ScratchDirectory()
    let trainer = try RunCase.trainer()
    try RunCase.run(trainer, until: 3)
    let run = try Run(path: scratch.path + "/run")
    let path = try run.save(trainer)
    let (state, manifest) = (path + "/state.json", path + "/manifest.json")
    func checksum() throws -> String {
      let digits = String(Checksum.of(try MappedFile(path: state)), radix: 16)
      return String(repeating: "0", count: 16 - digits.count) + digits
    }
    let text = try String(contentsOfFile: state, encoding: .utf8)
    let old = text.replacing(",\"window\":0", with: "").replacing("\"order\":\"sequential\",", with: "")
    #expect(text.utf8.count - old.utf8.count == 32)
    let before = try checksum()
    try Data(old.utf8).write(to: URL(filePath: state))
    let files = try String(contentsOfFile: manifest, encoding: .utf8)
    let adjusted = try files.replacing(before, with: checksum()).replacing(
      "\"bytes\":\(text.utf8.count)", with: "\"bytes\":\(old.utf8.count)")
    try Data(adjusted.utf8).write(to: URL(filePath: manifest))
    let resumed = try RunCase.trainer()
    try RunStep(path: path).restore(resumed)
    #expect(resumed.progress == trainer.progress)
  }
}
