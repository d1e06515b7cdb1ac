import GPT2
import Machine
import Operators
import TestSupport
import Testing

/// What a step of training costs the process. Counters of the whole process are read in one of its own, where no
/// other test runs.
@Suite struct ModelStepTests {
  private static func model(threads: Int) throws -> Model {
    let configuration = try Configuration(
      maximumSequenceLength: 64, vocabularySize: 500, layers: 2, heads: 4, channels: 64)
    let model = try Model(configuration: configuration, context: ExecutionContext(threads: threads))
    model.initialize()
    return model
  }

  private static func train(_ model: Model, steps: Int) throws {
    for step in 0..<steps {
      try model.train(TestBatch(seed: UInt64(step), vocabulary: 500, batchSize: 2, sequenceLength: 64))
    }
  }

  /// A mapping's pages fault at their first touch. The smallest memory that a step uses is that of the gradients of
  /// the activations, 128·(2·64 + 192 + 256) floats or 72 pages of 4 KiB (no memory here reaches the size of a huge
  /// page); eight steps that allocate it anew touch 576. Half of that is room for the heap of arrays and views, and for
  /// the stacks of threads that come late: some tens of pages in all, not in every step.
  @Test(.enabled(if: ProcessUsage.current.minorPageFaults > 0, "the kernel does not count page faults"))
  func laterStepsAllocateNothing() async {
    await #expect(processExitsWith: .success) {
      let model = try ModelStepTests.model(threads: 2)
      try ModelStepTests.train(model, steps: 2)
      let before = ProcessUsage.current.minorPageFaults
      try ModelStepTests.train(model, steps: 8)
      let faults = ProcessUsage.current.minorPageFaults - before
      #expect(faults < 576 / 2)
      // The counter counts.
      let fresh = try Arena([Arena.Entry(name: "fresh", shape: [1 << 18])])
      fresh.all.fill(1)
      #expect(ProcessUsage.current.minorPageFaults > before + faults)
    }
  }

  /// The same work opens the same parallel regions, step by step; one thread opens none.
  @Test func everyStepOpensTheSameRegions() async {
    await #expect(processExitsWith: .success) {
      for threads in [2, 5] {
        let model = try ModelStepTests.model(threads: threads)
        try ModelStepTests.train(model, steps: 1)
        var counts: [Int] = []
        for _ in 0..<4 {
          let before = Parallel.regionCount
          try ModelStepTests.train(model, steps: 1)
          counts.append(Parallel.regionCount - before)
        }
        #expect(counts.allSatisfy { $0 == counts[0] })
        #expect(counts[0] > 0)
      }
      let single = try ModelStepTests.model(threads: 1)
      let before = Parallel.regionCount
      try ModelStepTests.train(single, steps: 2)
      #expect(Parallel.regionCount == before)
    }
  }
}
