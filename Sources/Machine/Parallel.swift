import Dispatch
import Synchronization

/// The one door to parallelism: independent tasks, claimed one by one by at most `threads` threads.
///
/// Which thread runs which task is not fixed, so a task's result must not depend on it. Dispatch brings at most
/// as many threads as the process had CPUs in its affinity mask at its start, and may bring fewer: no task may
/// wait for another one. The threads sleep between calls, and waking them costs some microseconds.
public struct Parallel: Sendable {
  public let threads: Int
  /// Where they are.
  public let slots: Slots
  /// Whose tasks are whose.
  package let homes: Homes
  let simulation: Simulation?

  private static let regions = Atomic<Int>(0)
  private static let wakes = Atomic<Int>(0)

  /// - Precondition: `threads` ≥ 1.
  public init(threads: Int) {
    precondition(threads >= 1, "\(threads) threads")
    self.init(slots: Slots.here(for: threads))
  }

  /// - Parameter simulation: what stands for the threads.
  package init(slots: Slots, simulation: Simulation? = nil) {
    threads = slots.count
    self.slots = slots
    self.simulation = simulation
    homes = Homes(slots)
  }

  /// Parallel regions opened in this process so far; work done on the calling thread alone opens none.
  public static var regionCount: Int { regions.load(ordering: .relaxed) }

  /// How often sleeping threads were called for that: once a region, or once for all the regions of a `Team`.
  public static var wakeCount: Int { wakes.load(ordering: .relaxed) }

  /// Runs `program` with all threads awake until it ends; it passes the team to its regions.
  ///
  /// - Parameter recorder: who writes down what runs where.
  package func together(recorder: Recorder? = nil, _ program: (Team?) -> Void) {
    let recorder = recorder?.isFull == true ? nil : recorder
    if simulation != nil || (threads == 1 && recorder == nil) { return program(nil) }
    Self.wakes.wrappingAdd(1, ordering: .relaxed)
    Team.run(on: slots, recorder: recorder) { program($0) }
  }

  /// As below, on threads that sleep.
  public func forEach(_ tasks: Int, _ body: (_ task: Int, _ worker: Int) -> Void) {
    forEach(tasks, team: nil, body)
  }

  /// Calls `body(task, worker)` once for every task in `0..<tasks`, and returns when all have returned.
  ///
  /// - Parameters:
  ///   - tasks: how many; 0 does nothing. With one task or one thread, all run here and now, in order.
  ///   - team: threads that are awake, where the caller is in a program of theirs, and not in a task.
  ///   - body: `worker`, in `0..<threads`, belongs to one running task at a time: an index of scratch memory.
  ///     Tasks run at the same time: whatever they write must be disjoint.
  package func forEach(
    _ tasks: Int, team: Team?, name: RegionName = RegionName(), _ body: (_ task: Int, _ worker: Int) -> Void
  ) {
    let bounds = (0..<homes.domains).reduce(into: [0]) { $0.append(homes.share(of: tasks, $1).upperBound) }
    forEach(bounds: bounds.span, team: team, name: name, body)
  }

  /// The same, with those tasks of each domain that lie between two bounds.
  private func forEach(
    bounds: Span<Int>, team: Team?, name: RegionName, _ body: (_ task: Int, _ worker: Int) -> Void
  ) {
    if let simulation { return simulation.run(bounds, on: slots, name: name, body) }
    let tasks = bounds[homes.domains]
    if runsHere(tasks, team) { return Self.runHere(tasks, team, body) }
    Self.regions.wrappingAdd(1, ordering: .relaxed)
    if let team { return team.forEach(bounds: bounds, name: name, body) }
    Self.wakes.wrappingAdd(1, ordering: .relaxed)
    withoutActuallyEscaping(body) { body in
      let region = Region(tasks: tasks, body: body)
      // An iteration's number is a worker's: no thread runs two iterations at once. Those that find no task left
      // return at once, so it does not matter how many threads come. Returning orders all their writes.
      DispatchQueue.concurrentPerform(iterations: min(threads, tasks)) { worker in region.work(as: worker) }
    }
  }

  /// Opens a region; with a team it returns before the tasks are done, be it one alone.
  func start(_ region: RegionTasks, team: Team?, name: RegionName) {
    guard let team, region.count > 0 else { return forEach(region, team: nil, name: name) }
    Self.regions.wrappingAdd(1, ordering: .relaxed)
    team.start(region, name: name)
  }

  /// The same, and returns when they are done.
  func forEach(_ region: RegionTasks, team: Team?, name: RegionName) {
    let bounds = region.bounds
    forEach(bounds: bounds.span, team: team, name: name) { region.run($0, worker: $1) }
  }

  /// Whether nobody else is needed, or wants to know.
  private func runsHere(_ tasks: Int, _ team: Team?) -> Bool {
    min(threads, tasks) <= 1 && (tasks == 0 || team?.isRecorded != true)
  }

  private static func runHere(_ tasks: Int, _ team: Team?, _ body: (_ task: Int, _ worker: Int) -> Void) {
    if tasks == 0 { return }
    func run() {
      for task in 0..<tasks { body(task, 0) }
    }
    if let team { team.alone(run) } else { run() }
  }
}

/// The tasks of one call of `forEach`.
///
/// `@unchecked Sendable`: `next` is atomic; `body` is the caller's promise that tasks are independent.
private final class Region: @unchecked Sendable {
  private let next = OwnCacheLine(0)
  private let tasks: Int
  private let body: (Int, Int) -> Void

  init(tasks: Int, body: @escaping (Int, Int) -> Void) {
    self.tasks = tasks
    self.body = body
  }

  func work(as worker: Int) {
    // Relaxed: claiming a task publishes nothing but the number itself.
    while true {
      let task = next.value.wrappingAdd(1, ordering: .relaxed).oldValue
      if task >= tasks { return }
      body(task, worker)
    }
  }
}
