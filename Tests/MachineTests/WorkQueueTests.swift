import Machine
import Synchronization
import TestSupport
import Testing

/// Work that waits beside regions: in which order it is taken, and that all of it is.
@Suite struct WorkQueueTests {
  /// What ran, in the order in which it did.
  private final class Log: Sendable {
    private let entries = Mutex<[String]>([])
    var all: [String] { entries.withLock { $0 } }

    func work(_ name: String, _ count: Int) -> Work {
      Work(count: count) { task, _ in self.entries.withLock { $0.append("\(name)\(task)") } }
    }
  }

  private let alone = Parallel(threads: 1)

  @Test func aNewQueueIsEmpty() {
    let queue = WorkQueue(besideEach: 2, homes: alone.homes)
    #expect(queue.isEmpty)
    let start = queue.end
    queue.add(Work(count: 0) { _, _ in Issue.record("a task of none ran") })
    #expect(queue.isEmpty && queue.end == start)
    alone.finish(queue, before: queue.end, team: nil)
    #expect(queue.isEmpty)
  }

  @Test func positionsCountTasks() {
    let (queue, log) = (WorkQueue(besideEach: 2, homes: alone.homes), Log())
    let start = queue.end
    queue.add(log.work("a", 2))
    let middle = queue.end
    queue.add(log.work("b", 1))
    #expect(start < middle && middle < queue.end && !(middle < middle) && !queue.isEmpty)
    // Done or not, a place stays where it is.
    let end = queue.end
    alone.finish(queue, before: middle, team: nil)
    #expect(queue.end == end && middle < end && !queue.isEmpty)
  }

  /// Up to a place, then up to one before it, which is done already, then all.
  @Test func finishTakesWhatComesBeforeAPlace() {
    let (queue, log) = (WorkQueue(besideEach: 2, homes: alone.homes), Log())
    queue.add(log.work("a", 2))
    let first = queue.end
    queue.add(log.work("b", 3))
    let second = queue.end
    queue.add(log.work("c", 1))
    alone.finish(queue, before: second, team: nil)
    #expect(log.all == ["a0", "a1", "b0", "b1", "b2"])
    alone.finish(queue, before: first, team: nil)
    #expect(log.all.count == 5 && !queue.isEmpty)
    alone.finish(queue, before: queue.end, team: nil)
    #expect(log.all.last == "c0" && log.all.count == 6 && queue.isEmpty)
  }

  /// In one thread tasks run in the order in which they are strewn: two of the queue's for each of the region's own, as
  /// long as there are any, evenly.
  @Test func waitingTasksAreStrewnInOrder() {
    let (queue, log) = (WorkQueue(besideEach: 2, homes: alone.homes), Log())
    queue.add(log.work("a", 3))
    queue.add(log.work("b", 4))
    alone.forEach([log.work("x", 1), log.work("y", 1)], beside: queue, team: nil)
    #expect(log.all == ["x0", "a0", "a1", "y0", "a2", "b0"])
    alone.forEach([log.work("z", 5)], beside: queue, team: nil)
    #expect(log.all.suffix(8) == ["z0", "z1", "b1", "z2", "z3", "b2", "z4", "b3"] && queue.isEmpty)
    alone.forEach([log.work("w", 2)], beside: queue, team: nil)
    #expect(log.all.suffix(2) == ["w0", "w1"])
  }

  /// A queue that was emptied serves again, and its places go on.
  @Test func workIsAddedAfterFinishing() {
    let (queue, log) = (WorkQueue(besideEach: 2, homes: alone.homes), Log())
    queue.add(log.work("a", 2))
    alone.finish(queue, before: queue.end, team: nil)
    let end = queue.end
    queue.add(log.work("b", 2))
    #expect(end < queue.end && !queue.isEmpty)
    queue.add(log.work("c", 1))
    alone.finish(queue, before: queue.end, team: nil)
    #expect(log.all == ["a0", "a1", "b0", "b1", "c0"] && queue.isEmpty)
  }

  /// While entries are partly done, more may be added.
  @Test func workIsAddedBetweenRegions() {
    let (queue, log) = (WorkQueue(besideEach: 2, homes: alone.homes), Log())
    queue.add(log.work("a", 5))
    alone.forEach([log.work("x", 1)], beside: queue, team: nil)
    queue.add(log.work("b", 2))
    alone.forEach([log.work("y", 2)], beside: queue, team: nil)
    #expect(log.all.filter { $0 < "x" } == ["a0", "a1", "a2", "a3", "a4", "b0"])
    alone.finish(queue, before: queue.end, team: nil)
    #expect(log.all.last == "b1" && log.all.count == 10)
  }

  /// A region without tasks of its own takes none of the queue's.
  @Test func anEmptyRegionTakesNothing() {
    let (queue, log) = (WorkQueue(besideEach: 2, homes: alone.homes), Log())
    queue.add(log.work("a", 2))
    alone.forEach([log.work("x", 0)], beside: queue, team: nil)
    alone.forEach([], beside: queue, team: nil)
    #expect(log.all.isEmpty && !queue.isEmpty)
    alone.finish(queue, before: queue.end, team: nil)
  }

  /// Whatever the threads, each task runs once, those before a place before those after it, with a team and without.
  @Test(arguments: TeamTests.slots, [false, true])
  func everyTaskRunsOnce(_ slots: Slots, inATeam: Bool) {
    let (parallel, threads) = (Parallel(slots: slots), slots.count)
    let runs = (0..<400).map { _ in Counter() }
    /// Tasks `range` of the counters; `before` counters must all have run.
    func work(_ range: Range<Int>, after before: Range<Int> = 0..<0) -> Work {
      Work(count: range.count) { task, worker in
        if before.contains(where: { runs[$0].count != 1 }) || worker >= threads {
          runs[range.lowerBound].add(1 << 20)
        }
        runs[range.lowerBound + task].add(1)
      }
    }
    func program(_ team: Team?) {
      let queue = WorkQueue(besideEach: 2, homes: parallel.homes)
      queue.add(work(0..<3))
      queue.add(work(3..<40))
      let place = queue.end
      parallel.forEach([work(100..<101), work(101..<108)], beside: queue, team: team)
      parallel.finish(queue, before: place, team: team)
      queue.add(work(40..<50, after: 0..<40))
      // More that waits than the region takes, then less.
      parallel.forEach([work(108..<110), work(110..<110), work(110..<112)], beside: queue, team: team)
      parallel.forEach([work(200..<400)], beside: queue, team: team)
      queue.add(work(50..<100, after: 0..<50))
      parallel.finish(queue, before: queue.end, team: team)
      parallel.forEach([work(112..<200, after: 0..<112)], beside: queue, team: team)
    }
    if inATeam { parallel.together { program($0) } } else { program(nil) }
    #expect(runs.allSatisfy { $0.count == 1 })
  }

  /// Each domain runs its own share of a region's work, of each lap's, and of what waits.
  @Test func tasksHaveTheirHomes() {
    let slots = Slots(pinned: 4, on: .simulated(nodes: 2, coresPerCache: 2))
    let time = Counter()
    let parallel = Parallel(slots: slots, simulation: Simulation { time.count })
    var domains: [String: [Int]] = [:]
    func work(_ name: String, _ count: Int, lap: Int? = nil) -> Work {
      Work(count: count, lap: lap) { task, worker in
        domains["\(name)\(worker / 2)", default: []].append(task)
        time.add(1)
      }
    }
    let queue = WorkQueue(besideEach: 1, homes: parallel.homes)
    queue.add(work("p", 2))
    queue.add(work("q", 6))
    let blocks = Work.blocks(of: 10, in: 100) { range, worker in
      domains["r\(worker / 2)", default: []] += range
      time.add(1)
    }
    queue.add(blocks.blocks(on: [[], [1..<2, 7..<9]]))
    queue.add(blocks.blocks(on: [[20..<35, 90..<91], [60..<80]]))
    parallel.forEach([work("a", 4), work("b", 16, lap: 4)], beside: queue, team: nil)
    #expect(domains["a0"] == [0, 1] && domains["a1"] == [2, 3])
    #expect(domains["b0"] == [0, 1, 4, 5, 8, 9, 12, 13] && domains["b1"] == [2, 3, 6, 7, 10, 11, 14, 15])
    #expect(domains["p0"] == [0] && domains["p1"] == [1])
    #expect(domains["q0"] == [0, 1, 2] && domains["q1"] == [3, 4, 5] && queue.isEmpty)
    #expect(domains["r0"] == Array(20..<35) + [90] && domains["r1"] == [1, 7, 8] + Array(60..<80))
  }

  /// Ranges longer than a block are cut, and none is empty; those that nobody wants are not run.
  @Test func blocksOnRanges() {
    var ranges: [Range<Int>] = []
    let work = Work.blocks(of: 4, in: 30) { range, _ in ranges.append(range) }
    alone.forEach([work.blocks(on: [[3..<4, 8..<17, 20..<20]])], beside: nil, team: nil)
    #expect(ranges == [3..<4, 8..<12, 12..<16, 16..<17])
    work.run(5..<25, worker: 0)
    #expect(ranges.last == 5..<25)
    #expect(work.blocks(on: [[]]).count == 0)
    // Work that nobody wants done at all, as an optimizer's that leaves a parameter as it is.
    let none = Work(count: 0) { _, _ in Issue.record("a task of none ran") }
    #expect(none.blocks(on: [[0..<9]]).count == 0)
    none.run(0..<9, worker: 0)
  }

  /// A region begins with the work whose tasks take long, and else keeps the order in which it was given.
  @Test func longTasksComeFirst() {
    let log = Log()
    func work(_ name: String, _ operations: Int) -> Work {
      Work(count: 2, operations: operations) { task, worker in log.work(name, 2).runAll(worker: worker + task)
      }
    }
    alone.forEach([work("a", 0), work("b", 7), work("c", 30), work("d", 0)], beside: nil, team: nil)
    #expect(log.all.map { $0.prefix(1) }.joined() == "ccccbbbbaaaadddd")
  }

  /// Blocks are ascending, whole but for the last, and together everything.
  @Test(arguments: [(10, 3), (9, 3), (1, 5), (0, 4), (7, 1), (5, 5)])
  func blocks(_ total: Int, _ size: Int) {
    var ranges: [Range<Int>] = []
    let work = Work.blocks(of: size, in: total) { range, _ in ranges.append(range) }
    alone.forEach([work], beside: nil, team: nil)
    #expect(ranges.flatMap { Array($0) } == Array(0..<total) && ranges.count == work.count)
    #expect(ranges.dropLast().allSatisfy { $0.count == size } && ranges.allSatisfy { !$0.isEmpty })
  }

  /// The body lives as long as the work or the queue that holds it, and no longer.
  @Test func bodiesAreReleased() {
    weak var log: Log?
    do {
      let made = Log()
      log = made
      let queue = WorkQueue(besideEach: 2, homes: alone.homes)
      queue.add(made.work("a", 1))
      alone.finish(queue, before: queue.end, team: nil)
      #expect(made.all == ["a0"])
    }
    #expect(log == nil)
  }
}

private final class Counter: Sendable {
  private let value = Atomic<Int>(0)
  var count: Int { value.load(ordering: .relaxed) }
  func add(_ amount: Int) { value.wrappingAdd(amount, ordering: .relaxed) }
}
