/// Regions made of several pieces of work, and of work that waits beside them.
extension Parallel {
  /// Runs every task of every piece of work in one region, in no particular order, and as many of the queue's among
  /// them as it has for that many.
  package func forEach(_ works: [Work], beside queue: WorkQueue?, team: Team?) {
    let count = works.reduce(0) { $0 + $1.count }
    guard let queue, !queue.isEmpty else {
      return withTasks(of: works) { run in forEach(count, team: team, run) }
    }
    let waiting = queue.next(beside: count)
    let total = count + waiting.count
    withTasks(of: works) { run in
      queue.take(waiting) { runWaiting in
        forEach(total, team: team) { task, worker in
          // Of the first n tasks, n·waiting/total are the queue's: evenly strewn.
          let before = task * waiting.count / total
          if (task + 1) * waiting.count / total > before {
            runWaiting(waiting.lowerBound + before, worker)
          } else {
            run(task - before, worker)
          }
        }
      }
    }
  }

  /// Runs the tasks of a queue that come before `end`.
  package func finish(_ queue: WorkQueue, before end: WorkQueue.Position, team: Team?) {
    let waiting = queue.rest(before: end)
    queue.take(waiting) { run in
      forEach(waiting.count, team: team) { task, worker in run(waiting.lowerBound + task, worker) }
    }
  }

  /// Calls `region` with a function that runs a task of several pieces of work, counted through.
  private func withTasks(of works: [Work], _ region: (_ run: (_ task: Int, _ worker: Int) -> Void) -> Void) {
    let tasks = works.map(\.tasks)
    let span = tasks.span
    region { task, worker in
      var index = task
      for number in span.indices {
        let count = span[number].count
        if index < count { return span[number].run(index, worker: worker) }
        index -= count
      }
    }
    withExtendedLifetime(works) {}
  }
}
