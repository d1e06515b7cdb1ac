/// Regions made of several pieces of work, and of work that waits beside them.
extension Parallel {
  /// Runs every task of every piece of work in one region, in no particular order, and as many of the queue's among
  /// them as it has for that many.
  ///
  /// Each piece's tasks are shared out among the domains by their homes, and each domain has its own of the queue's
  /// beside them.
  package func forEach(
    _ works: [Work], beside queue: WorkQueue?, team: Team?, name: RegionName = RegionName()
  ) {
    withTasks(of: works) { bounds, run in
      guard let queue, !queue.isEmpty else {
        return forEach(bounds: bounds, team: team, name: name) { task, worker in
          let domain = bounds.domain(of: task)
          run(domain, task - bounds[domain], worker)
        }
      }
      forEach(bounds, run, beside: queue, team: team, name: name)
    }
  }

  private func forEach(
    _ own: Span<Int>, _ run: (_ domain: Int, _ task: Int, _ worker: Int) -> Void, beside queue: WorkQueue,
    team: Team?, name: RegionName
  ) {
    let waiting = queue.next(beside: own)
    let (bounds, first) = (queue.bounds(own, with: waiting), waiting.map(\.lowerBound))
    let (all, firsts) = (bounds.span, first.span)
    queue.take(waiting) { runWaiting in
      forEach(bounds: all, team: team, name: name) { task, worker in
        let domain = all.domain(of: task)
        let (place, total) = (task - all[domain], all[domain + 1] - all[domain])
        let extra = total - (own[domain + 1] - own[domain])
        // Of the first n tasks, n·extra/total are the queue's: evenly strewn.
        let before = place * extra / total
        if (place + 1) * extra / total > before {
          runWaiting(domain, firsts[domain] + before, worker)
        } else {
          run(domain, place - before, worker)
        }
      }
    }
  }

  /// Runs the tasks of a queue that come before `end`.
  package func finish(
    _ queue: WorkQueue, before end: WorkQueue.Position, team: Team?, name: RegionName = RegionName()
  ) {
    let none = [Int](repeating: 0, count: homes.domains + 1)
    let waiting = queue.rest(before: end)
    let (bounds, first) = (queue.bounds(none.span, with: waiting), waiting.map(\.lowerBound))
    let (all, firsts) = (bounds.span, first.span)
    queue.take(waiting) { run in
      forEach(bounds: all, team: team, name: name) { task, worker in
        let domain = all.domain(of: task)
        run(domain, firsts[domain] + task - all[domain], worker)
      }
    }
  }

  /// Calls `region` with the bounds of the domains' tasks, and with a function that runs a domain's task, counted through
  /// all pieces of work.
  private func withTasks(
    of works: [Work],
    _ region: (_ bounds: Span<Int>, _ run: (_ domain: Int, _ task: Int, _ worker: Int) -> Void) -> Void
  ) {
    let tasks = works.map(\.tasks)
    let count = works.count
    // Of each domain, of each piece of work.
    let shares = (0..<homes.domains).flatMap { domain in tasks.map { HomedTasks($0, homes, domain) } }
    let bounds = (0..<homes.domains).reduce(into: [0]) { bounds, domain in
      let sum = shares[domain * count..<(domain + 1) * count].reduce(0) { $0 + $1.count }
      bounds.append(bounds[domain] + sum)
    }
    let span = shares.span
    region(bounds.span) { domain, task, worker in
      var index = task
      for number in domain * count..<(domain + 1) * count {
        let count = span[number].count
        if index < count { return span[number].run(index, worker: worker) }
        index -= count
      }
    }
    withExtendedLifetime(works) {}
  }
}

extension Span<Int> {
  /// The domain whose bounds a task lies in.
  @inline(__always)
  fileprivate func domain(of task: Int) -> Int {
    var domain = 0
    while task >= self[domain + 1] { domain += 1 }
    return domain
  }
}
