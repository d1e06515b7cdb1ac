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

  /// How many threads run tasks of one region at the same time: each task waits for all others, but not for ever.
  package static func meeting(_ parallel: Parallel, team: Team?) -> Int {
    let met = Mutex<Set<pthread_t>>([])
    let deadline = ContinuousClock.now + .seconds(20)
    parallel.forEach(parallel.threads, team: team) { _, _ in
      _ = met.withLock { $0.insert(pthread_self()) }
      while met.withLock({ $0.count }) < parallel.threads, ContinuousClock.now < deadline {
        Thread.sleep(forTimeInterval: 0.001)
      }
    }
    return met.withLock { $0.count }
  }
}
