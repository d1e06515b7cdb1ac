import Foundation
import TestSupport
import Testing

@Suite struct VerifyTests {
  private func verify(_ model: URL, _ state: URL) throws -> Run {
    try TemporaryDirectory.with { directory in
      try Executable.run(
        ["verify", "--checkpoint", model.path, "--debug-state", state.path, "--threads", "2"], in: directory)
    }
  }

  @Test(arguments: ReferenceCase.all)
  func theReferenceCasesPass(_ reference: ReferenceCase) throws {
    for model in [reference.model, reference.modelVersion1, reference.modelBFloat16] {
      let run = try verify(model, reference.debugState)
      #expect(run.exitCode == 0 && run.errors.isEmpty, "\(run.output)\(run.errors)")
      // Logits, loss, sixteen gradients, ten losses.
      #expect(run.lines.count { $0.hasSuffix("  ok") } == 28, "\(run.output)")
    }
  }

  /// One number off by a hundredth of its tensor's largest is found, and named.
  @Test func aCorruptedStateFails() throws {
    let tiny = ReferenceCase.tiny
    let state = [UInt8](try Data(contentsOf: tiny.debugState))
    let positions = tiny.batchSize * tiny.sequenceLength
    let logits = 1024 + 8 * positions
    let loss = logits + 4 * positions * tiny.vocabulary
    for (offset, name) in [
      (logits + 40, "logits"), (loss, "loss"), (loss + 4, "dwte"), (state.count - 4, "dlnfb"),
    ] {
      try TemporaryDirectory.with { directory in
        var corrupted = state
        // The exponent's lowest bit: the number doubles or halves.
        corrupted[offset + 2] ^= 0x80
        let url = directory.appending(path: "state.bin")
        try Data(corrupted).write(to: url)
        let run = try verify(tiny.model, url)
        expectRefusal(run, "1 off: \(name)")
        #expect(run.lines.count { $0.hasSuffix("  FAIL") && $0.hasPrefix(name) } == 1, "\(run.output)")
      }
    }
  }

  @Test func statesOfOtherModelsAreRefused() throws {
    let tiny = ReferenceCase.tiny
    expectRefusal(try verify(tiny.model, URL(filePath: "/none.bin")), "/none.bin")
    expectRefusal(try verify(tiny.model, tiny.model), "llm.c debug state", "llm.c checkpoint")
    expectRefusal(try verify(tiny.debugState, tiny.debugState), "llm.c checkpoint")
    try TemporaryDirectory.with { directory in
      let url = directory.appending(path: "state.bin")
      try Data(contentsOf: tiny.debugState).dropLast(4).write(to: url)
      expectRefusal(try verify(tiny.model, url), "the file's size", "4 too few")
    }
  }
}
