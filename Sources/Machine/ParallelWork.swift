/// Regions made of several pieces of work, and of work that waits beside them.
extension Parallel {
  /// Opens a region of every task of every piece of work, in no particular order, and of as many of the queue's among
  /// them as it has for that many.
  ///
  /// Each piece's tasks are shared out among the domains by their homes, and each domain has its own of the queue's
  /// beside them. With a team the region's tasks may be done only when `wait` returns; the team's next region begins
  /// when they are. Without one they are done when this returns.
  package func start(
    _ works: [Work], beside queue: WorkQueue? = nil, team: Team?, name: RegionName = RegionName()
  ) {
    start(region(works, beside: queue), team: team, name: name)
  }

  /// Opens a region of the tasks of a queue that come before `end`, as above.
  package func start(
    _ queue: WorkQueue, before end: WorkQueue.Position, team: Team?, name: RegionName = RegionName()
  ) {
    start(region(queue, before: end), team: team, name: name)
  }

  /// As the first, and returns when the region is done.
  package func forEach(
    _ works: [Work], beside queue: WorkQueue?, team: Team?, name: RegionName = RegionName()
  ) {
    forEach(region(works, beside: queue), team: team, name: name)
    simulation?.wait()
  }

  /// As the second, and returns when the region is done.
  package func finish(
    _ queue: WorkQueue, before end: WorkQueue.Position, team: Team?, name: RegionName = RegionName()
  ) {
    forEach(region(queue, before: end), team: team, name: name)
    simulation?.wait()
  }

  /// Waits until the tasks of all regions that were opened are done.
  package func wait(_ team: Team?) {
    team?.wait()
    simulation?.wait()
  }

  private func region(_ works: [Work], beside queue: WorkQueue?) -> RegionTasks {
    RegionTasks(works, homes: homes) { queue?.takeNext(beside: $0) }
  }

  private func region(_ queue: WorkQueue, before end: WorkQueue.Position) -> RegionTasks {
    RegionTasks([], homes: homes) { _ in queue.takeRest(before: end) }
  }
}
