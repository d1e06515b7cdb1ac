import GPT2
import Machine
import TestSupport
import Testing

/// The example of `Run` and of README.md.
@Suite struct RunExampleTests {
  @Test func itSavesAndResumes() throws {
    let scratch = try ScratchDirectory()
    let path = scratch.path + "/run"
    let first = try RunCase.trainer(RunCase.options { $0.steps = 4 })
    try train(first, path: path)
    let second = try RunCase.trainer(RunCase.options { $0.steps = 6 })
    try train(second, path: path)
    #expect(second.progress.step == 6 && second.progress.trainingLosses.map(\.step) == Array(0..<6))
    #expect(try Directory.names(in: path) == ["lock", "step-00000000", "step-00000004", "step-00000006"])
  }

  private func train(_ trainer: Trainer, path: String) throws {
    var events: [String] = []
    let run = try Run(path: path, keep: 3)
    if let step = try run.newest().step { try step.restore(trainer) }
    try trainer.run(
      report: { event in events.append(RunCase.text(event)) },
      atStep: { step in if step.isMultiple(of: 500) { try run.beginSaving(trainer) } })
    try run.save(trainer)
    #expect(!events.isEmpty)
  }
}
