/// Tasks bound by memory that wait for regions bound by arithmetic, among whose own tasks they cost little.
///
/// Whoever makes a step makes its queue and passes it to the operators that may take from it. They take in the order
/// in which work was added. Whatever a waiting task touches, no other work touches until it is done: `Parallel.finish`
/// sees to that.
public final class WorkQueue {
  /// A place between two tasks, counted from the queue's first one.
  public struct Position: Comparable, Sendable {
    fileprivate let task: Int

    public static func < (left: Position, right: Position) -> Bool { left.task < right.task }
  }

  /// A piece of work, and how many tasks of the queue come before it.
  private struct Entry {
    let tasks: WorkTasks
    let first: Int
  }

  /// How many tasks a region takes for each of its own, unless told.
  ///
  /// Few regions that take many disturb the others' use of the caches less than many that take a few: on two cores of a
  /// Zen 5 whose memory serves two threads twice as fast as one, steps of 124M, B=4 T=64 took a median of 506 ms with 2,
  /// 500 with 6, 490–500 with 12 and 24, in turns.
  public static let besideEach = 12

  /// Keeps alive what `entries` refers to.
  private var works: [Work] = []
  private var entries: [Entry] = []
  private var added = 0
  private var done = 0
  private let besideEach: Int

  /// - Parameter besideEach: tasks that a region takes for each of its own.
  public init(besideEach: Int = WorkQueue.besideEach) { self.besideEach = besideEach }

  public var isEmpty: Bool { done == added }

  /// After the last task.
  public var end: Position { Position(task: added) }

  package func add(_ work: Work) {
    if work.count == 0 { return }
    if isEmpty {
      works.removeAll(keepingCapacity: true)
      entries.removeAll(keepingCapacity: true)
    }
    works.append(work)
    entries.append(Entry(tasks: work.tasks, first: added))
    added += work.count
  }

  /// The tasks for a region that has `count` of its own.
  func next(beside count: Int) -> Range<Int> { done..<min(added, done + besideEach * count) }

  func rest(before end: Position) -> Range<Int> { done..<max(done, end.task) }

  /// Calls `region` with a function that runs one of `tasks`; they count as done when it returns.
  ///
  /// - Precondition: `tasks` are what `next` or `rest` returned, and `region` runs them all and adds none.
  func take(_ tasks: Range<Int>, _ region: (_ run: (_ task: Int, _ worker: Int) -> Void) -> Void) {
    let entries = entries
    let span = entries.span
    region { task, worker in
      // The last entry that begins at or before the task.
      var (low, high) = (0, span.count - 1)
      while low < high {
        let middle = (low + high + 1) / 2
        if span[middle].first <= task { low = middle } else { high = middle - 1 }
      }
      span[low].tasks.run(task - span[low].first, worker: worker)
    }
    precondition(tasks.lowerBound == done && tasks.upperBound <= added)
    done = tasks.upperBound
  }
}
