import CLinux
import Dispatch
import Synchronization

/// Threads that stay awake together from one parallel region to the next, so that a region costs a fraction of a
/// microsecond instead of waking everybody.
///
/// One `concurrentPerform` lasts as long as the program. Whoever arrives first leads: it runs the program and opens its
/// regions. The others help: they watch for tasks and claim them one by one. Nobody waits for a particular thread: a
/// region ends when its tasks are done, and whoever comes late, or never, is not missed.
///
/// `@unchecked Sendable`: `body` is written by the leader while no task is open, before `ticket` says that some are
/// (release), and read by those who have claimed one (acquire); a region stays open until its claimed tasks are done.
package final class Team: @unchecked Sendable {
  /// Tasks of the open region in the upper half, the next one to claim in the lower.
  private let ticket = Atomic<UInt64>(0)
  private let completed = Atomic<Int>(0)
  private let isLed = Atomic<Bool>(false)
  private let isOver = Atomic<Bool>(false)
  private var body: (Int, Int) -> Void = { _, _ in }
  private var leader = 0

  /// Looks at `ticket` before a helper lets others have its processor: some 100 µs, more than a program does between
  /// two regions.
  private static let patience = 10_000

  /// Runs `program`, on whichever thread comes first, with `threads` − 1 others at hand for its regions.
  package static func run(threads: Int, _ program: (Team) -> Void) {
    withoutActuallyEscaping(program) { program in
      let role = Role(program)
      DispatchQueue.concurrentPerform(iterations: threads) { worker in role.play(as: worker) }
    }
  }

  /// `@unchecked Sendable`: one thread alone calls `program`.
  private final class Role: @unchecked Sendable {
    private let team = Team()
    private let program: (Team) -> Void

    init(_ program: @escaping (Team) -> Void) { self.program = program }

    func play(as worker: Int) {
      if team.isLed.exchange(true, ordering: .acquiringAndReleasing) {
        team.help(as: worker)
      } else {
        team.leader = worker
        program(team)
        team.isOver.store(true, ordering: .releasing)
      }
    }
  }

  /// As `Parallel.forEach`; called by the program.
  package func forEach(_ tasks: Int, _ body: (_ task: Int, _ worker: Int) -> Void) {
    // The lower half of the ticket goes past the number of tasks by one for each thread.
    precondition(tasks < 1 << 30, "\(tasks) tasks")
    withoutActuallyEscaping(body) { body in
      self.body = body
      completed.store(0, ordering: .relaxed)
      ticket.store(UInt64(tasks) << 32, ordering: .releasing)
      work(as: leader)
      while completed.load(ordering: .acquiring) < tasks { clinux_pause() }
      self.body = { _, _ in }
    }
  }

  private func help(as worker: Int) {
    var idle = 0
    while !isOver.load(ordering: .acquiring) {
      let state = ticket.load(ordering: .relaxed)
      if state & 0xFFFF_FFFF < state >> 32 {
        work(as: worker)
        idle = 0
      } else {
        idle += 1
        if idle < Self.patience { clinux_pause() } else { clinux_yield() }
      }
    }
  }

  private func work(as worker: Int) {
    var count = 0
    while true {
      let state = ticket.add(1, ordering: .acquiring).oldValue
      let task = state & 0xFFFF_FFFF
      if task >= state >> 32 { break }
      body(Int(task), worker)
      count += 1
    }
    if count > 0 { completed.add(count, ordering: .releasing) }
  }
}
