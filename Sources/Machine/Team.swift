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
/// The leader need not wait for a region: while the others run its tasks he may go on to say what the next ones are, and
/// joins them then. On many cores a region lasts little longer than that takes, and some are shorter.
///
/// `@unchecked Sendable`: `body` and the bounds of tasks are written by the one who opens a region while no task is open,
/// before the tickets say that some are (release), and read by those who have claimed one (acquire); a region stays open
/// until its claimed tasks are done.
@safe package final class Team: @unchecked Sendable {
  /// The counters of each domain, on cache lines of their own.
  private let domains: UnsafeMutablePointer<TeamDomain>
  private let domainCount: Int
  /// A row for each domain: itself, then the others, nearest first.
  private let order: UnsafeMutablePointer<Int>
  /// Domains whose tasks are done, and whoever has opened the region.
  private let completed = OwnCacheLine(0)
  private let isLed = OwnCacheLine(false)
  private let isOver = OwnCacheLine(false)

  private let regions: DescribedRegions
  // A line that helpers read: those who claim a task need `body` anyway.
  private var body: UnsafePointer<UncountedBody>?
  /// The recorder's number of the open region; as `body`.
  private var openRegion = 0

  private var leader = Place(slot: 0, domain: 0)
  private var leadingThread = UInt(0)
  /// Whether the leader waits for regions, or runs one of their tasks.
  private var isBusy = false
  /// Regions that he has seen open.
  private var seen = 0
  private let manner: Wait.Manner
  private let recorder: Recorder?

  private struct Place {
    let slot, domain: Int
  }

  private init(_ slots: Slots, recorder: Recorder?) {
    manner = Wait.Manner(threads: slots.count)
    self.recorder = recorder
    domainCount = slots.domains.count
    regions = DescribedRegions(domains: domainCount)
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
        team.leadingThread = clinux_thread()
        program(team)
        team.wait()
        team.isOver.value.store(true, ordering: .releasing)
      }
      seating.leave(seat)
    }
  }

  var isRecorded: Bool { recorder != nil }

  /// Describes a region, which is opened as soon as those before it are done, and returns before its own tasks are.
  func start(_ region: RegionTasks, name: RegionName) {
    let work = Work(count: region.count) { task, worker in region.run(task, worker: worker) }
    let bounds = region.bounds
    asProgram {
      unsafe add(work.tasks.body, of: work, bounds: bounds.span, name: name)
    }
  }

  /// Returns when the tasks of all regions are done.
  func wait() {
    asProgram {
      finishAll()
      regions.forget()
    }
  }

  /// Runs `body`, the tasks of a region for which nobody else is needed.
  func alone(_ body: () -> Void) {
    asProgram {
      finishAll()
      body()
    }
  }

  /// As `Parallel.forEach`; called by the program.
  ///
  /// - Parameter bounds: domain d has the tasks bounds[d]..<bounds[d + 1].
  func forEach(bounds: Span<Int>, name: RegionName, _ body: (_ task: Int, _ worker: Int) -> Void) {
    withoutActuallyEscaping(body) { body in
      let uncounted = UncountedBody(perTask: body)
      unsafe withUnsafePointer(to: uncounted) { address in
        asProgram {
          unsafe add(address, of: nil, bounds: bounds, name: name)
          finishAll()
        }
      }
    }
  }

  /// Stops whoever opens a region from inside a task: two operators would share scratch, and a task that waited for
  /// another region would wait for itself.
  private func asProgram(_ body: () -> Void) {
    precondition(
      leadingThread == clinux_thread() && !isBusy,
      "a parallel region (an operator, perhaps) was opened inside a task of its own team")
    isBusy = true
    body()
    isBusy = false
  }

  @unsafe private func add(
    _ body: UnsafePointer<UncountedBody>, of work: Work?, bounds: Span<Int>, name: RegionName
  ) {
    // The lower half of a ticket goes past the number of tasks by one for each thread.
    precondition(bounds[domainCount] < 1 << 30, "\(bounds[domainCount]) tasks")
    help { regions.areMost }
    let region = unsafe DescribedRegions.Region(
      body: body, work: work, record: recorder?.region(name, tasks: bounds[domainCount]))
    if unsafe regions.add(region, bounds: bounds) { open() }
  }

  private func finishAll() { help { !regions.areDone } }

  /// The leader does what helpers do as long as something holds.
  private func help(while isNeeded: () -> Bool) {
    var wait = Wait(manner)
    while isNeeded() {
      let region = unsafe domains[leader.domain].ticket.region
      if region != seen {
        seen = region
        work(at: leader)
        wait = Wait(manner)
      } else {
        wait.look()
      }
    }
  }

  /// Opens the next region, and those behind it that others have done before this returns.
  private func open() {
    repeat {
      unsafe regions.open { region, bounds in
        unsafe body = unsafe region.body
        if let recorder, let record = unsafe region.record { openRegion = recorder.open(record) }
        open(bounds)
      }
    } while isDone() && close()
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

  /// Whether everything is done of the open region, now that all tickets of it are out or the tasks of a domain are done:
  /// who opens counts as a domain, so that nobody opens the next one before.
  private func isDone() -> Bool {
    completed.value.wrappingAdd(1, ordering: .acquiringAndReleasing).newValue > domainCount
  }

  /// - Returns: whether the next region is there to be opened.
  private func close() -> Bool {
    recorder?.close()
    return regions.close()
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
    // Before another region may be opened.
    let end = recorder?.now ?? 0
    let left = unsafe domain.pointee.left.value.wrappingSubtract(count, ordering: .acquiringAndReleasing)
    if left.newValue == 0, isDone(), close() { open() }
    guard let recorder else { return }
    let stolen = isOwn ? 0 : count
    if let last = part, last.region == region {
      part = Recorder.Part(
        region: region, start: last.start, end: end, tasks: last.tasks + count,
        stolen: last.stolen + stolen)
    } else {
      if let part { recorder.add(part, slot: slot) }
      part = Recorder.Part(region: region, start: start, end: end, tasks: count, stolen: stolen)
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
