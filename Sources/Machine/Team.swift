import CLinux
import Dispatch
import Synchronization

/// Threads that stay awake together from one parallel region to the next, so that a region costs a fraction of a
/// microsecond instead of waking everybody.
///
/// One `concurrentPerform` lasts as long as the program. Whoever arrives first leads: it runs the program and opens its
/// regions. The others help: they watch for tasks and claim them one by one, their own domain's first and then, nearest
/// first, those of others. Nobody waits for a particular thread: a region ends when its tasks are done, and whoever comes
/// late, or never, is not missed.
///
/// `@unchecked Sendable`: `body` and the bounds of tasks are written by the leader while no task is open, before the
/// tickets say that some are (release), and read by those who have claimed one (acquire); a region stays open until its
/// claimed tasks are done.
@safe package final class Team: @unchecked Sendable {
  /// The counters of each domain, on cache lines of their own.
  private let domains: UnsafeMutablePointer<TeamDomain>
  private let domainCount: Int
  /// A row for each domain: itself, then the others, nearest first.
  private let order: UnsafeMutablePointer<Int>
  /// Domains whose tasks are done.
  private let completed = OwnCacheLine(0)
  private let isLed = OwnCacheLine(false)
  private let isOver = OwnCacheLine(false)

  // The leader's own line, which helpers read: those who claim a task need `body` anyway.
  private let isBusy = Atomic<Bool>(false)
  private var body: UnsafePointer<UncountedBody>?
  private var leader = Place(slot: 0, domain: 0)
  private let manner: Wait.Manner
  private let recorder: Recorder?
  /// The recorder's number of the open region; as `body`.
  private var openRegion = 0

  private struct Place {
    let slot, domain: Int
  }

  private init(_ slots: Slots, recorder: Recorder?) {
    manner = Wait.Manner(threads: slots.count)
    self.recorder = recorder
    domainCount = slots.domains.count
    unsafe domains = .allocate(capacity: domainCount)
    unsafe order = .allocate(capacity: domainCount * domainCount)
    for (number, domain) in slots.domains.enumerated() {
      unsafe (domains + number).initialize(to: TeamDomain())
      for (place, other) in ([number] + domain.others).enumerated() {
        unsafe (order + number * domainCount + place).initialize(to: other)
      }
    }
  }

  deinit {
    unsafe domains.deinitialize(count: domainCount)
    unsafe domains.deallocate()
    unsafe order.deallocate()
  }

  /// Runs `program`, on whichever thread comes first, with a thread for each other slot at hand for its regions.
  package static func run(on slots: Slots, recorder: Recorder? = nil, _ program: (Team) -> Void) {
    withoutActuallyEscaping(program) { program in
      recorder?.beginPass()
      let role = Role(Team(slots, recorder: recorder), Seating(slots), program)
      DispatchQueue.concurrentPerform(iterations: slots.count) { number in role.play(as: number) }
      recorder?.endPass()
    }
  }

  /// `@unchecked Sendable`: one thread alone calls `program`.
  private final class Role: @unchecked Sendable {
    private let team: Team
    private let seating: Seating
    private let program: (Team) -> Void

    init(_ team: Team, _ seating: Seating, _ program: @escaping (Team) -> Void) {
      self.team = team
      self.seating = seating
      self.program = program
    }

    func play(as number: Int) {
      let seat = seating.take(number)
      let place = Place(slot: seat.slot, domain: seat.domain)
      if team.isLed.value.exchange(true, ordering: .acquiringAndReleasing) {
        team.help(at: place)
      } else {
        team.leader = place
        program(team)
        team.isOver.value.store(true, ordering: .releasing)
      }
      seating.leave(seat)
    }
  }

  var isRecorded: Bool { recorder != nil }

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
  ///
  /// - Parameter bounds: domain d has the tasks bounds[d]..<bounds[d + 1].
  func forEach(bounds: Span<Int>, name: RegionName, _ body: (_ task: Int, _ worker: Int) -> Void) {
    precondition(bounds.count == domainCount + 1, "bounds of \(bounds.count - 1) domains")
    let tasks = bounds[domainCount]
    // The lower half of a ticket goes past the number of tasks by one for each thread.
    precondition(tasks < 1 << 30, "\(tasks) tasks")
    withoutActuallyEscaping(body) { body in
      let uncounted = UncountedBody(perTask: body)
      unsafe withUnsafePointer(to: uncounted) { address in
        unsafe self.body = address
        if let recorder { openRegion = recorder.open(name, tasks: tasks) }
        open(bounds)
        work(at: leader)
        var wait = Wait(manner)
        while completed.value.load(ordering: .acquiring) < domainCount { wait.look() }
        recorder?.close()
        unsafe self.body = nil
      }
    }
  }

  /// Domains that have no task are done.
  private func open(_ bounds: Span<Int>) {
    var done = 0
    for number in 0..<domainCount {
      let tasks = bounds[number]..<bounds[number + 1]
      if tasks.isEmpty { done += 1 }
      unsafe domains[number].left.value.store(tasks.count, ordering: .relaxed)
    }
    completed.value.store(done, ordering: .relaxed)
    for number in 0..<domainCount { unsafe domains[number].ticket.open(bounds[number]..<bounds[number + 1]) }
  }

  private func help(at place: Place) {
    var wait = Wait(manner)
    var seen = 0
    while !isOver.value.load(ordering: .acquiring) {
      let region = unsafe domains[place.domain].ticket.region
      if region != seen {
        seen = region
        work(at: place)
        wait = Wait(manner)
      } else {
        wait.look()
      }
    }
  }

  /// Runs tasks until none is left to claim.
  private func work(at place: Place) {
    var part: Recorder.Part?
    for rank in 0..<domainCount {
      let domain = unsafe order[place.domain * domainCount + rank]
      unsafe work(domains + domain, as: place.slot, isOwn: rank == 0, &part)
    }
    if let part { recorder?.add(part, slot: place.slot) }
  }

  /// Those of one domain.
  ///
  /// - Parameter part: of the thread where somebody writes it down, which another region's may follow: the one that
  ///   was seen to be open may be over.
  @unsafe private func work(
    _ domain: UnsafeMutablePointer<TeamDomain>, as slot: Int, isOwn: Bool, _ part: inout Recorder.Part?
  ) {
    guard var task = unsafe domain.pointee.ticket.claim() else { return }
    // Whoever has claimed a task finds all of this there: the region stays open until the task is done.
    let (region, start) = (openRegion, recorder?.now ?? 0)
    var count = 0
    while true {
      unsafe body!.pointee.run(task, slot)
      count += 1
      guard let next = unsafe domain.pointee.ticket.claim() else { break }
      task = next
    }
    let left = unsafe domain.pointee.left.value.wrappingSubtract(count, ordering: .acquiringAndReleasing)
    if left.newValue == 0 { completed.value.wrappingAdd(1, ordering: .releasing) }
    guard let recorder else { return }
    let stolen = isOwn ? 0 : count
    if let last = part, last.region == region {
      part = Recorder.Part(
        region: region, start: last.start, end: recorder.now, tasks: last.tasks + count,
        stolen: last.stolen + stolen)
    } else {
      if let part { recorder.add(part, slot: slot) }
      part = Recorder.Part(region: region, start: start, end: recorder.now, tasks: count, stolen: stolen)
    }
  }
}

/// What the threads of a domain share.
private struct TeamDomain: ~Copyable {
  let ticket = Ticket()
  /// Tasks of the open region that are not done.
  let left = OwnCacheLine(0)
}

/// The tasks of a domain that nobody has claimed yet.
private struct Ticket: ~Copyable {
  /// Where the tasks of the open region end in the upper half, the next one to claim in the lower.
  private let state = OwnCacheLine<UInt64>(0)
  /// Regions opened so far, on a line that only changes with it: helpers watch it.
  private let regions = OwnCacheLine(0)

  /// Acquiring: whoever sees a region open sees its tasks.
  var region: Int { regions.value.load(ordering: .acquiring) }

  func open(_ tasks: Range<Int>) {
    state.value.store(UInt64(tasks.upperBound) << 32 | UInt64(tasks.lowerBound), ordering: .releasing)
    regions.value.store(regions.value.load(ordering: .relaxed) &+ 1, ordering: .releasing)
  }

  @inline(__always)
  func claim() -> Int? {
    // Others' tickets are looked at when they are empty, too: an addition would take their line each time.
    let seen = state.value.load(ordering: .relaxed)
    if seen & 0xFFFF_FFFF >= seen >> 32 { return nil }
    // Wrapping: it never does, but the check would make a loop of compare-and-swap out of one instruction.
    let state = state.value.wrappingAdd(1, ordering: .acquiring).oldValue
    let task = state & 0xFFFF_FFFF
    return task >= state >> 32 ? nil : Int(task)
  }
}
