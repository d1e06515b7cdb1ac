import Machine
import Synchronization
import Testing

@Suite struct ParallelTests {
  /// An atomic that an array can hold.
  private final class Counter: Sendable {
    let value = Atomic<Int>(0)
  }

  @Test(arguments: [1, 2, 3, 7, 64], [0, 1, 2, 5, 64, 1000])
  func everyTaskRunsExactlyOnce(threads: Int, tasks: Int) {
    let runs = (0..<tasks).map { _ in Counter() }
    Parallel(threads: threads).forEach(tasks) { task, worker in
      #expect(worker >= 0 && worker < threads)
      runs[task].value.add(1, ordering: .relaxed)
    }
    #expect(runs.allSatisfy { $0.value.load(ordering: .relaxed) == 1 })
  }

  @Test func aWorkerRunsOneTaskAtATime() {
    let threads = 4
    let busy = (0..<threads).map { _ in Counter() }
    let clashes = Atomic<Int>(0)
    for _ in 0..<200 {
      Parallel(threads: threads).forEach(64) { _, worker in
        if busy[worker].value.exchange(1, ordering: .acquiring) != 0 { clashes.add(1, ordering: .relaxed) }
        // Work for other threads to fall into.
        for _ in 0..<50 { clashes.add(0, ordering: .relaxed) }
        busy[worker].value.store(0, ordering: .releasing)
      }
    }
    #expect(clashes.load(ordering: .relaxed) == 0)
  }

  /// What tasks write without any atomic is there when `forEach` returns.
  @Test func writesAreVisibleAfterwards() throws {
    let tensor = try Arena([.init(name: "sums", shape: [997])])["sums"]!
    for round in 1...50 {
      Parallel(threads: 3).forEach(tensor.count) { task, _ in tensor[task] += Float(task) }
      #expect(tensor.array() == (0..<997).map { Float($0 * round) })
    }
  }

  @Test func oneThreadRunsTasksInOrderOnTheCallersThread() {
    var order: [Int] = []
    Parallel(threads: 1).forEach(5) { task, worker in
      #expect(worker == 0)
      order.append(task)
    }
    #expect(order == [0, 1, 2, 3, 4])
  }

  @Test func nestedCallsFinish() {
    let runs = Atomic<Int>(0)
    Parallel(threads: 4).forEach(8) { _, _ in
      Parallel(threads: 4).forEach(16) { _, _ in runs.add(1, ordering: .relaxed) }
    }
    #expect(runs.load(ordering: .relaxed) == 8 * 16)
  }

  /// In a process of its own, because other tests open regions too.
  @Test func onlyOpenedRegionsAreCounted() async {
    await #expect(processExitsWith: .success) {
      let parallel = Parallel(threads: 2)
      parallel.forEach(0) { _, _ in }
      parallel.forEach(1) { _, _ in }
      Parallel(threads: 1).forEach(9) { _, _ in }
      precondition(Parallel.regionCount == 0)
      parallel.forEach(2) { _, _ in }
      parallel.forEach(9) { _, _ in }
      precondition(Parallel.regionCount == 2)
    }
  }
}
