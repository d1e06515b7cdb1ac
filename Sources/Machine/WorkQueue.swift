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

  /// How many tasks a region takes for each of its own, unless told.
  ///
  /// Few regions that take many disturb the others' use of the caches less than many that take a few: on two cores of a
  /// Zen 5 whose memory serves two threads twice as fast as one, steps of 124M, B=4 T=64 took a median of 506 ms with 2,
  /// 500 with 6, 490–500 with 12 and 24, in turns.
  public static let besideEach = 12

  /// Those with tasks that no region has taken, at least.
  private var works: [Work] = []
  /// For each piece of work one of each domain.
  private var pieces: [RegionTasks.Piece] = []
  /// Tasks of each domain.
  private var added, taken: [Int]
  private let besideEach: Int
  private let homes: Homes

  /// - Parameters:
  ///   - besideEach: tasks that a region takes for each of its own.
  ///   - homes: those of the threads that take from it.
  public init(besideEach: Int = WorkQueue.besideEach, homes: Homes) {
    self.besideEach = besideEach
    self.homes = homes
    added = [Int](repeating: 0, count: homes.domains)
    taken = added
  }

  /// Whether no task waits for a region that takes it.
  public var isEmpty: Bool { taken == added }

  /// After the last task.
  public var end: Position { Position(lanes: added) }

  package func add(_ work: Work) {
    if work.count == 0 { return }
    if isEmpty {
      works.removeAll(keepingCapacity: true)
      pieces.removeAll(keepingCapacity: true)
    }
    works.append(work)
    for domain in 0..<homes.domains {
      let tasks = work.tasks(of: domain, homes)
      pieces.append(RegionTasks.Piece(tasks: tasks, first: added[domain]))
      added[domain] += tasks.count
    }
  }

  /// What a region takes in which domain d has the tasks bounds[d]..<bounds[d + 1] of its own; nil: nothing.
  func takeNext(beside bounds: [Int]) -> RegionTasks.Waiting? {
    precondition(bounds.count == homes.domains + 1, "a queue of the region's domains")
    return take { domain in
      let own = bounds[domain + 1] - bounds[domain]
      return min(added[domain], taken[domain] + besideEach * own)
    }
  }

  /// What comes before a place and no region has taken; nil: nothing.
  func takeRest(before end: Position) -> RegionTasks.Waiting? {
    take { max(taken[$0], end.lanes[$0]) }
  }

  /// - Parameter end: before which a domain's tasks are taken.
  private func take(before end: (_ domain: Int) -> Int) -> RegionTasks.Waiting? {
    let tasks = (0..<homes.domains).map { taken[$0]..<end($0) }
    // Of all pieces those in which the first of these tasks lies, to those in which the last one does.
    let (first, last) = (0..<homes.domains).reduce((works.count, -1)) { bounds, domain in
      if tasks[domain].isEmpty { return bounds }
      return (
        min(bounds.0, piece(of: tasks[domain].lowerBound, domain)),
        max(bounds.1, piece(of: tasks[domain].upperBound - 1, domain))
      )
    }
    if last < first { return nil }
    taken = tasks.map(\.upperBound)
    return RegionTasks.Waiting(
      works: Array(works[first...last]),
      pieces: Array(pieces[first * homes.domains..<(last + 1) * homes.domains]), tasks: tasks)
  }

  /// The last piece of work that begins at or before a domain's task.
  private func piece(of task: Int, _ domain: Int) -> Int {
    var (low, high) = (0, works.count - 1)
    while low < high {
      let middle = (low + high + 1) / 2
      if pieces[middle * homes.domains + domain].first <= task { low = middle } else { high = middle - 1 }
    }
    return low
  }
}
