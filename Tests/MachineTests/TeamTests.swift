import Machine
import Synchronization
import TestSupport
import Testing

/// Threads that stay awake from one region to the next.
struct TeamTests {
  /// Threads that the kernel places, and domains of a machine that this one need not be.
  static let slots =
    [1, 2, 3, 8, 64].map { Slots(unpinned: $0) } + [
      Slots(pinned: 8, on: .simulated(nodes: 2, cachesPerNode: 2, coresPerCache: 2)),
      Slots(pinned: 7, on: .simulated(nodes: 4, coresPerCache: 2)),
    ]

  /// Each task of each region runs once, and a region sees what the one before wrote.
  @Test(arguments: slots)
  func regionsRunEveryTaskOnceAndInOrder(_ slots: Slots) {
    let (regions, threads) = (200, slots.count)
    let parallel = Parallel(slots: slots)
    let counts = (0..<regions).map { _ in Counter() }
    var early = 0
    parallel.together { team in
      for region in 0..<regions {
        // 1, 2, 4, ... tasks: fewer and more than there are threads.
        let tasks = 1 << (region % 7)
        parallel.forEach(tasks, team: team) { task, worker in
          #expect((0..<threads).contains(worker))
          #expect((0..<tasks).contains(task))
          if region > 0, counts[region - 1].value != 1 << ((region - 1) % 7) { counts[region].add(1 << 20) }
          counts[region].add(1)
        }
        if counts[region].value != tasks { early += 1 }
      }
    }
    #expect(early == 0)
  }

  /// Regions that nobody waits for follow each other, more than are described at a time, some of one task and some of
  /// none; what they ran is let go of in the end.
  @Test(arguments: slots)
  func regionsFollowEachOtherUnwaitedFor(_ slots: Slots) {
    let parallel = Parallel(slots: slots)
    let sizes = (0..<10 * Simulation.most).map { [64, 1, 7, 0, 2, 130, 16][$0 % 7] }
    parallel.together { team in
      for _ in 0..<3 {
        let counts = sizes.map { _ in Counter() }
        var kept: Counter? = Counter()
        weak let seen = kept
        for (region, size) in sizes.enumerated() {
          let work = Work(count: size) { [kept] _, _ in
            kept?.add(1)
            let last = (0..<region).last { sizes[$0] > 0 }
            if let last, counts[last].value != sizes[last] { counts[region].add(1 << 20) }
            counts[region].add(1)
          }
          parallel.start([work], team: team)
        }
        kept = nil
        parallel.wait(team)
        #expect(counts.map(\.value) == sizes && seen == nil)
      }
    }
  }

  /// A program that ends without waiting has its regions done.
  @Test(arguments: slots)
  func theLastRegionIsDoneInTheEnd(_ slots: Slots) {
    let (parallel, count) = (Parallel(slots: slots), Counter())
    for pass in 1...50 {
      parallel.together { team in
        for _ in 0..<3 { parallel.start([Work(count: 40) { _, _ in count.add(1) }], team: team) }
      }
      #expect(count.value == pass * 120)
    }
  }

  /// A region of none and a program without regions end.
  @Test func emptyProgramsEnd() {
    var ran = 0
    Parallel(threads: 3).together { team in
      Parallel(threads: 3).forEach(0, team: team) { _, _ in Issue.record("a task of none ran") }
      ran += 1
    }
    Parallel(threads: 3).together { _ in ran += 1 }
    #expect(ran == 2)
  }

  /// The threads are called once for all regions.
  @Test func aTeamIsWokenOnce() {
    let parallel = Parallel(threads: 2)
    // Other tests wake threads of this process at the same time: the least of several counts is this program's.
    let counts = (0..<50).map { _ in
      let before = Parallel.wakeCount
      parallel.together { team in
        for _ in 0..<20 { parallel.forEach(4, team: team) { _, _ in } }
      }
      return Parallel.wakeCount - before
    }
    #expect(counts.min() == 1)
  }

  /// While a pass lasts each thread stays on the processor of its slot; the caller's mask is then what it was, and so is
  /// that of threads that come again. In a process of its own, whose threads no other test holds.
  @Test func threadsStayOnTheirProcessors() async {
    await #expect(processExitsWith: .success) {
      let before = Topology.currentAffinity()
      let parallel = Parallel(threads: before.count)
      let isShort = (Topology.current.cpuQuota ?? .infinity) < Double(before.count)
      precondition(Topology.current.defaultThreads == 1 || parallel.slots.arePinned != isShort)
      for _ in 0..<20 {
        parallel.together { team in
          parallel.forEach(64, team: team) { _, worker in
            let own = parallel.slots.arePinned ? [parallel.slots.processors[worker]] : before
            precondition(Topology.currentAffinity() == own, "\(Topology.currentAffinity()), not \(own)")
          }
        }
        precondition(Topology.currentAffinity() == before)
      }
      // Threads that sleep go where the kernel puts them.
      parallel.forEach(64) { _, _ in precondition(Topology.currentAffinity() == before) }
    }
  }

  /// A caller that may run on one processor only keeps everybody from another.
  @Test(.enabled(if: Topology.current.affinity.count > 1))
  func aNarrowMaskIsKept() async {
    await #expect(processExitsWith: .success) {
      let parallel = Parallel(threads: Topology.current.affinity.count)
      let last = Topology.current.affinity[Topology.current.affinity.count - 1]
      precondition(ThreadMask.narrow(to: last))
      parallel.together { team in
        parallel.forEach(8, team: team) { _, _ in
          precondition(!parallel.slots.arePinned || Topology.currentAffinity().contains(last))
        }
      }
      precondition(Topology.currentAffinity() == [last])
    }
  }

  /// What an operator inside a task would do, whether the team opens the regions or the leader alone runs their tasks.
  @Test func aRegionInsideATaskIsStopped() async {
    await #expect(processExitsWith: trap, "a region inside a region") {
      let parallel = Parallel(threads: 2)
      parallel.together { team in
        parallel.forEach(4, team: team) { _, _ in parallel.forEach(4, team: team) { _, _ in } }
      }
    }
    await #expect(processExitsWith: trap, "a single task inside a region") {
      let parallel = Parallel(threads: 2)
      parallel.together { team in
        parallel.forEach(4, team: team) { _, _ in parallel.forEach(1, team: team) { _, _ in } }
      }
    }
    await #expect(processExitsWith: trap, "a region inside a single task") {
      let parallel = Parallel(threads: 2)
      parallel.together { team in
        parallel.forEach(1, team: team) { _, _ in parallel.forEach(4, team: team) { _, _ in } }
      }
    }
    await #expect(processExitsWith: trap, "a region inside one that nobody waits for") {
      let parallel = Parallel(threads: 2)
      parallel.together { team in
        parallel.start(
          [Work(count: 4) { _, _ in parallel.start([Work(count: 4) { _, _ in }], team: team) }], team: team)
      }
    }
  }

  /// In a process of its own, whose threads no other test holds. As many tasks run at once only where as many threads
  /// are there.
  @Test(.enabled(if: PromisedThreads.count != nil, "only scripts/test makes more threads than processors"))
  func asManyThreadsComeAsWerePromised() async {
    await #expect(processExitsWith: .success) {
      let threads = PromisedThreads.count ?? 0
      precondition(threads > 2)
      let parallel = Parallel(threads: threads)
      precondition(PromisedThreads.meet(parallel, team: nil))
      parallel.together { team in precondition(PromisedThreads.meet(parallel, team: team)) }
    }
  }
}

private final class Counter: Sendable {
  private let count = Atomic<Int>(0)
  var value: Int { count.load(ordering: .relaxed) }
  func add(_ amount: Int) { count.add(amount, ordering: .relaxed) }
}
