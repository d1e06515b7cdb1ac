/// Tasks bound by memory that wait for regions bound by arithmetic, among whose own tasks they cost little.
///
/// Whoever makes a step makes its queue and passes it to the operators that may take from it. They take in the order
/// in which work was added, each domain of threads its own share of it. Whatever a waiting task touches, no other work
/// touches until it is done: `Parallel.finish` sees to that.
public final class WorkQueue {
  /// A place between two pieces of work.
  public struct Position: Comparable, Sendable {
    /// Tasks before it, of each domain.
    fileprivate let lanes: [Int]

    private var tasks: Int { lanes.reduce(0, +) }

    public static func < (left: Position, right: Position) -> Bool { left.tasks < right.tasks }
  }

  /// A domain's share of a piece of work, and how many tasks of that domain come before it.
  private struct Entry {
    let tasks: HomedTasks
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
  /// For each piece of work one of each domain.
  private var entries: [Entry] = []
  /// Tasks of each domain.
  private var added, done: [Int]
  private let besideEach: Int
  private let homes: Homes

  /// - Parameters:
  ///   - besideEach: tasks that a region takes for each of its own.
  ///   - homes: those of the threads that take from it.
  public init(besideEach: Int = WorkQueue.besideEach, homes: Homes) {
    self.besideEach = besideEach
    self.homes = homes
    added = [Int](repeating: 0, count: homes.domains)
    done = added
  }

  public var isEmpty: Bool { done == added }

  /// After the last task.
  public var end: Position { Position(lanes: added) }

  /// - Parameter home: the domain that all of its tasks belong to; nil: each domain has its share.
  package func add(_ work: Work, home: Int? = nil) {
    if work.count == 0 { return }
    if isEmpty {
      works.removeAll(keepingCapacity: true)
      entries.removeAll(keepingCapacity: true)
    }
    works.append(work)
    for domain in 0..<homes.domains {
      let tasks =
        home.map { HomedTasks(work.tasks, isHome: $0 == domain) } ?? HomedTasks(work.tasks, homes, domain)
      entries.append(Entry(tasks: tasks, first: added[domain]))
      added[domain] += tasks.count
    }
  }

  /// Each domain's tasks for a region in which it has those of `bounds`.
  func next(beside bounds: Span<Int>) -> [Range<Int>] {
    (0..<homes.domains).map { domain in
      let own = bounds[domain + 1] - bounds[domain]
      return done[domain]..<min(added[domain], done[domain] + besideEach * own)
    }
  }

  func rest(before end: Position) -> [Range<Int>] {
    (0..<homes.domains).map { done[$0]..<max(done[$0], end.lanes[$0]) }
  }

  /// The bounds of the domains' tasks in a region that has both.
  func bounds(_ own: Span<Int>, with waiting: [Range<Int>]) -> [Int] {
    precondition(own.count == homes.domains + 1, "a queue of the region's domains")
    return (0..<homes.domains).reduce(into: [0]) { bounds, domain in
      bounds.append(bounds[domain] + own[domain + 1] - own[domain] + waiting[domain].count)
    }
  }

  /// Calls `region` with a function that runs one of a domain's `tasks`; they count as done when it returns.
  ///
  /// - Precondition: `tasks` are what `next` or `rest` returned, and `region` runs them all and adds none.
  func take(
    _ tasks: [Range<Int>], _ region: (_ run: (_ domain: Int, _ task: Int, _ worker: Int) -> Void) -> Void
  ) {
    let (entries, domains) = (entries, homes.domains)
    let span = entries.span
    region { domain, task, worker in
      // The last piece of work that begins at or before the task.
      var (low, high) = (0, span.count / domains - 1)
      while low < high {
        let middle = (low + high + 1) / 2
        if span[middle * domains + domain].first <= task { low = middle } else { high = middle - 1 }
      }
      let entry = span[low * domains + domain]
      entry.tasks.run(task - entry.first, worker: worker)
    }
    for (domain, range) in tasks.enumerated() {
      precondition(range.lowerBound == done[domain] && range.upperBound <= added[domain])
      done[domain] = range.upperBound
    }
  }
}
