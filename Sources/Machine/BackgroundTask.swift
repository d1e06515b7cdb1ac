import Dispatch
import Synchronization

/// Work on a thread of its own, beside everything else, such as writing a file while the next step is computed.
///
/// The thread is none of those of `Parallel`: they stay as many as they were, and share the processors with it.
package final class BackgroundTask<Result: Sendable>: Sendable {
  private let result = Mutex<Result?>(nil)
  private let group = DispatchGroup()

  package init(_ body: @Sendable @escaping () -> Result) {
    // A serial queue has a thread beyond those of the pool that `concurrentPerform` takes its own from.
    DispatchQueue(label: "background task").async(group: group) {
      let value = body()
      self.result.withLock { $0 = value }
    }
  }

  package var isFinished: Bool { result.withLock { $0 != nil } }

  /// Waits for the end.
  package func value() -> Result {
    group.wait()
    guard let value = result.withLock({ $0 }) else { preconditionFailure("a task ended without a result") }
    return value
  }
}
