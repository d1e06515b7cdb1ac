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
}

/// Time that tasks take as they say; a simulation runs in one thread.
private final class Clock { var time = 0 }
