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
@safe package final class Team: @unchecked Sendable {
  /// Tasks of the open region in the upper half, the next one to claim in the lower.
  private let ticket = OwnCacheLine<UInt64>(0)
  private let completed = OwnCacheLine(0)
  private let isLed = OwnCacheLine(false)
  private let isOver = OwnCacheLine(false)

  // The leader's own line, which helpers read: those who claim a task need `body` anyway.
  private let isBusy = Atomic<Bool>(false)
  private var body: UnsafePointer<UncountedBody>?
  private var leader = 0
  private let manner: Wait.Manner

  private init(_ manner: Wait.Manner) { self.manner = manner }

  /// Runs `program`, on whichever thread comes first, with `threads` − 1 others at hand for its regions.
  package static func run(threads: Int, _ program: (Team) -> Void) {
    withoutActuallyEscaping(program) { program in
      let role = Role(Team(Wait.Manner(threads: threads)), program)
      DispatchQueue.concurrentPerform(iterations: threads) { worker in role.play(as: worker) }
    }
  }

  /// `@unchecked Sendable`: one thread alone calls `program`.
  private final class Role: @unchecked Sendable {
    private let team: Team
    private let program: (Team) -> Void

    init(_ team: Team, _ program: @escaping (Team) -> Void) {
      self.team = team
      self.program = program
    }

    func play(as worker: Int) {
      if team.isLed.value.exchange(true, ordering: .acquiringAndReleasing) {
        team.help(as: worker)
      } else {
        team.leader = worker
        program(team)
        team.isOver.value.store(true, ordering: .releasing)
      }
    }
  }

  /// Runs `body`, which opens a region of this team or does its tasks without one; stops whoever asks for that from
  /// inside a task: the open region would lose the tasks that are left, and two operators would share scratch.
  func alone(_ body: () -> Void) {
    let isNested = isBusy.exchange(true, ordering: .relaxed)
    precondition(
      !isNested, "a parallel region (an operator, perhaps) was opened inside a task of its own team")
    body()
    isBusy.store(false, ordering: .relaxed)
  }

  /// As `Parallel.forEach`; called by the program, in `alone`.
  func forEach(_ tasks: Int, _ body: (_ task: Int, _ worker: Int) -> Void) {
    // The lower half of the ticket goes past the number of tasks by one for each thread.
    precondition(tasks < 1 << 30, "\(tasks) tasks")
    withoutActuallyEscaping(body) { body in
      let uncounted = UncountedBody(perTask: body)
      unsafe withUnsafePointer(to: uncounted) { address in
        unsafe self.body = address
        completed.value.store(0, ordering: .relaxed)
        ticket.value.store(UInt64(tasks) << 32, ordering: .releasing)
        work(as: leader)
        var wait = Wait(manner)
        while completed.value.load(ordering: .acquiring) < tasks { wait.look() }
        unsafe self.body = nil
      }
    }
  }

  private func help(as worker: Int) {
    var wait = Wait(manner)
    while !isOver.value.load(ordering: .acquiring) {
      let state = ticket.value.load(ordering: .relaxed)
      if state & 0xFFFF_FFFF < state >> 32 {
        work(as: worker)
        wait = Wait(manner)
      } else {
        wait.look()
      }
    }
  }

  private func work(as worker: Int) {
    var count = 0
    while true {
      // Wrapping: it never does, but the check would make a loop of compare-and-swap out of one instruction.
      let state = ticket.value.wrappingAdd(1, ordering: .acquiring).oldValue
      let task = state & 0xFFFF_FFFF
      if task >= state >> 32 { break }
      // Whoever has claimed a task finds it there: the region stays open until the task is done.
      unsafe body!.pointee.run(Int(task), worker)
      count += 1
    }
    if count > 0 { completed.value.wrappingAdd(count, ordering: .releasing) }
  }
}
