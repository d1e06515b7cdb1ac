import Machine
import TestSupport
import Testing

/// Threads that are not there.
@Suite struct SimulationTests {
  private let slots = Slots(pinned: 4, on: .simulated(nodes: 2, coresPerCache: 2))

  /// Runs tasks of these costs; the domains have a half of them each.
  private func region(_ costs: [Int]) -> Simulation.Region {
    let clock = Clock()
    let simulation = Simulation { clock.time }
    var runs = [Int](repeating: 0, count: costs.count)
    Parallel(slots: slots, simulation: simulation).forEach(costs.count, team: nil) { task, worker in
      #expect((0..<4).contains(worker))
      runs[task] += 1
      clock.time += costs[task]
    }
    #expect(runs.allSatisfy { $0 == 1 } && simulation.regions.count == 1)
    return simulation.regions[0]
  }

  @Test func evenTasksTakeTheirShare() {
    let region = region([Int](repeating: 3, count: 16))
    #expect(region.tasks == 16 && region.work == 48 && region.span == 12 && region.stolen == 0)
  }

  /// The first domain has long tasks: the second one's threads help when they are done.
  @Test func idleThreadsHelp() {
    let region = region([8, 8, 8, 8, 1, 1, 1, 1])
    // Two of the long ones begin at 0 on their own domain, two at 2 on the other.
    #expect(region.stolen == 2 && region.span == 10 && region.work == 36)
  }

  @Test func oneLongTaskIsTheSpan() {
    #expect(region([100, 1, 1]).span == 100)
  }

  /// Each of two steps has another task interrupted.
  @Test func interruptionsAreNoPartOfASchedule() {
    let least = region([9, 2, 2, 2]).least(region([2, 2, 2, 9]))
    #expect(least.work == 8 && least.span == 2 && least.stolen == 0)
  }

  /// Regions of four threads: what their leader does before each, and how many tasks of how long it has; none: he waits.
  private func step(_ events: [(leading: Int, tasks: Int, cost: Int)], rest: Int = 0) -> Simulation.Step {
    let clock = Clock()
    let simulation = Simulation { clock.time }
    let parallel = Parallel(slots: slots, simulation: simulation)
    simulation.begin()
    for (leading, tasks, cost) in events {
      clock.time += leading
      if tasks == 0 {
        parallel.wait(nil)
      } else {
        parallel.start([Work(count: tasks) { _, _ in clock.time += cost }], team: nil)
      }
    }
    clock.time += rest
    return simulation.step
  }

  /// While the others have begun with the first region the leader describes the second one and does what he can of the
  /// third, for which he needs results: he takes a task of the first at 10, and another thread the eighth at 20.
  @Test func theLeaderIsAhead() {
    let step = step([(5, 8, 10), (7, 4, 1), (3, 0, 0), (4, 2, 2)], rest: 6)
    #expect(step.schedule().spans == [30, 1, 2])
    // Before the first, behind the wait, and behind the last, of which the tasks take 2.
    #expect(step.schedule().between == 5 + 4 + 4)
    #expect(step.regions.map(\.span) == [20, 1, 2])
  }

  /// Three short regions are described while a long one runs, or one only.
  @Test func shortRegionsAreDescribedBesideLongOnes() {
    let step = step([(10, 4, 100), (10, 4, 1), (10, 4, 1), (10, 4, 1)])
    #expect(step.schedule().spans == [130, 1, 1, 1] && step.schedule().between == 10)
    #expect(step.schedule(most: 1).spans == [110, 2, 2, 1] && step.schedule(most: 1).between == 10 + 8 + 8)
  }

  /// A single task is a region like others, which the leader need not wait for.
  @Test func aSingleTaskIsARegion() {
    let step = step([(1, 4, 10), (1, 1, 5), (1, 4, 1)])
    #expect(step.schedule().spans == [12, 5, 1] && step.schedule().between == 1)
  }

  /// What is least of each region and of what the leader did before it.
  @Test func theLeastOfTwoSteps() {
    let least = step([(5, 4, 3), (9, 4, 2)], rest: 1).least(step([(6, 4, 1), (2, 4, 4)], rest: 7))
    #expect(least.schedule().spans == [2, 2] && least.schedule().between == 5)
  }
}

/// Time that tasks take as they say; a simulation runs in one thread.
private final class Clock { var time = 0 }
