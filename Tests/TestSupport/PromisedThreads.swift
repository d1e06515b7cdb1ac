import Foundation
import Machine
import Synchronization

/// As many threads as a test asks for, on a machine of few processors.
///
/// A parallel region brings at most one thread for each processor of the affinity mask. `scripts/test` preloads
/// `Tests/Preload/affinity.c`, which shows Dispatch, and nobody else, a mask of GPT2_TEST_CPUS processors.
public enum PromisedThreads {
  /// How many processors Dispatch is shown; nil where the tests run without the library.
  public static let count = ProcessInfo.processInfo.environment["GPT2_TEST_CPUS"].flatMap { Int($0) }

  /// Whether as many threads as were asked for run tasks of one region at the same time: each task waits for all
  /// others, but not for ever.
  package static func meet(_ parallel: Parallel, team: Team?) -> Bool {
    let met = Atomic<Int>(0)
    let isComplete = Atomic<Bool>(true)
    let deadline = ContinuousClock.now + .seconds(20)
    parallel.forEach(parallel.threads, team: team) { _, _ in
      met.add(1, ordering: .relaxed)
      while met.load(ordering: .relaxed) < parallel.threads, ContinuousClock.now < deadline {
        Thread.sleep(forTimeInterval: 0.001)
      }
      if met.load(ordering: .relaxed) < parallel.threads { isComplete.store(false, ordering: .relaxed) }
    }
    return isComplete.load(ordering: .relaxed)
  }
}
