/// The tasks of a parallel region: its own, shared out among the domains by their homes, and strewn among each domain's
/// those that it takes from a queue.
///
/// Plain memory, which lives as long as this: a reference would be counted at each task, and threads would contend for
/// the count.
///
/// `@unchecked Sendable`: nothing changes after `init`.
@safe final class RegionTasks: @unchecked Sendable {
  /// A domain's share of a piece of work, and how many tasks of that domain come before it.
  struct Piece {
    let tasks: HomedTasks
    let first: Int
  }

  /// A domain's tasks, counted from `first`: own ones, and those of a queue, whose own count begins at `firstWaiting`.
  private struct Lane {
    var first = 0
    var own = 0
    var waiting = 0
    var firstWaiting = 0

    var count: Int { own + waiting }
  }

  /// What a region takes from a queue.
  struct Waiting {
    /// Keeps alive what `pieces` refers to.
    let works: [Work]
    /// For each piece of work one of each domain.
    let pieces: [Piece]
    /// Each domain's tasks that are taken.
    let tasks: [Range<Int>]
  }

  /// Domain d has the tasks bounds[d]..<bounds[d + 1].
  let bounds: [Int]
  private let domains: Int
  private let lanes: UnsafeMutablePointer<Lane>
  /// For each piece of work one of each domain.
  private let own, waiting: UnsafeMutableBufferPointer<Piece>
  private let works: [Work]

  var count: Int { bounds[domains] }

  /// - Parameter queue: asked for what it has for a region in which domain d has the tasks bounds[d]..<bounds[d + 1].
  init(_ works: [Work], homes: Homes, taking queue: (_ bounds: [Int]) -> Waiting?) {
    domains = homes.domains
    let works = works.count == 1 ? works : works.sorted { $0.operations > $1.operations }
    unsafe own = .allocate(capacity: works.count * domains)
    var ends = [Int](repeating: 0, count: domains)
    for (number, work) in works.enumerated() {
      for domain in 0..<domains {
        let piece = Piece(tasks: work.tasks(of: domain, homes), first: ends[domain])
        unsafe own.initializeElement(at: number * domains + domain, to: piece)
        ends[domain] += piece.tasks.count
      }
    }
    let taken = queue(ends.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1) })
    unsafe waiting = .allocate(capacity: taken?.pieces.count ?? 0)
    if let taken { _ = unsafe waiting.initialize(fromContentsOf: taken.pieces) }
    unsafe lanes = .allocate(capacity: domains)
    var bounds = [0]
    for domain in 0..<domains {
      let lane = Lane(
        first: bounds[domain], own: ends[domain], waiting: taken?.tasks[domain].count ?? 0,
        firstWaiting: taken?.tasks[domain].lowerBound ?? 0)
      unsafe (lanes + domain).initialize(to: lane)
      bounds.append(lane.first + lane.count)
    }
    self.bounds = bounds
    self.works = works + (taken?.works ?? [])
  }

  deinit {
    unsafe own.deallocate()
    unsafe waiting.deallocate()
    unsafe lanes.deallocate()
  }

  @inline(__always)
  func run(_ task: Int, worker: Int) {
    var domain = 0
    while unsafe domain + 1 < domains && task >= lanes[domain + 1].first { domain += 1 }
    let lane = unsafe lanes[domain]
    let place = task - lane.first
    if lane.waiting == 0 { return unsafe run(place, of: own, domain, worker) }
    // Of the first n tasks, n · waiting / count are the queue's: evenly strewn.
    let before = place * lane.waiting / lane.count
    if (place + 1) * lane.waiting / lane.count > before {
      unsafe run(lane.firstWaiting + before, of: waiting, domain, worker)
    } else {
      unsafe run(place - before, of: own, domain, worker)
    }
  }

  /// Runs a domain's task, counted through all pieces.
  @inline(__always) @unsafe
  private func run(_ task: Int, of pieces: UnsafeMutableBufferPointer<Piece>, _ domain: Int, _ worker: Int) {
    // The last piece that begins at or before the task.
    var (low, high) = (0, pieces.count / domains - 1)
    while low < high {
      let middle = (low + high + 1) / 2
      if unsafe pieces[middle * domains + domain].first <= task { low = middle } else { high = middle - 1 }
    }
    let piece = unsafe pieces[low * domains + domain]
    piece.tasks.run(task - piece.first, worker: worker)
  }
}
