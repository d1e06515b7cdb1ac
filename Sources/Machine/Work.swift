/// Independent tasks of a parallel region: `body(task, worker)` for every task in 0..<count.
@safe public struct Work {
  public let count: Int
  /// Tasks t and t + lap have one home; those of a lap are shared out evenly, in their order.
  private let lap: Int
  private let body: Body

  /// - Parameter lap: how many tasks there are until their homes begin anew, such as heads that have several tasks each;
  ///   by default all.
  public init(count: Int, lap: Int? = nil, _ body: @escaping (_ task: Int, _ worker: Int) -> Void) {
    self.init(count: count, lap: lap ?? count, UncountedBody(perTask: body))
  }

  /// One task for every block of `size` elements of 0..<total.
  public static func blocks(
    of size: Int, in total: Int, _ body: @escaping (_ range: Range<Int>, _ worker: Int) -> Void
  ) -> Work {
    let count = (total + size - 1) / size
    return Work(count: count, lap: count, UncountedBody(size: size, total: total, perBlock: body))
  }

  private init(count: Int, lap: Int, _ body: consuming UncountedBody) {
    precondition(lap > 0 ? count % lap == 0 : count == 0, "\(count) tasks in laps of \(lap)")
    self.count = count
    self.lap = lap
    self.body = Body(body)
  }

  /// Runs all tasks, here and now: as a part of another piece of work's task.
  package func runAll(worker: Int) {
    for task in 0..<count { unsafe body.address.pointee.run(task, worker) }
  }

  /// Valid as long as this work lives.
  var tasks: WorkTasks { unsafe WorkTasks(count: count, lap: lap, body: body.address) }
}

/// A piece of work as the threads of a region see it: plain bits, because a reference would be counted at each task,
/// and threads would contend for the count.
@safe struct WorkTasks {
  let count: Int
  fileprivate let lap: Int
  @unsafe let body: UnsafePointer<UncountedBody>

  /// - Precondition: the work lives.
  @inline(__always)
  func run(_ task: Int, worker: Int) { unsafe body.pointee.run(task, worker) }
}

/// The tasks of a piece of work whose home is one domain, counted through.
struct HomedTasks {
  let count: Int
  private let tasks: WorkTasks
  /// Of a lap's tasks: those before this domain's, and this domain's.
  private let first, width: Int

  /// - Precondition: the work lives as long as this.
  init(_ tasks: WorkTasks, _ homes: Homes, _ domain: Int) {
    let share = homes.share(of: tasks.lap, domain)
    (first, width) = (share.lowerBound, share.count)
    count = tasks.count == 0 ? 0 : tasks.count / tasks.lap * width
    self.tasks = tasks
  }

  /// All of them, or none.
  init(_ tasks: WorkTasks, isHome: Bool) {
    (first, width) = (0, isHome ? tasks.lap : 0)
    count = isHome ? tasks.count : 0
    self.tasks = tasks
  }

  @inline(__always)
  func run(_ task: Int, worker: Int) {
    // Of several laps each has the tasks in the order of the whole.
    let (lap, place) = width == tasks.count ? (0, task) : task.quotientAndRemainder(dividingBy: width)
    tasks.run(lap * tasks.lap + first + place, worker: worker)
  }
}

/// What runs tasks; not copyable, and so called where it lies.
struct UncountedBody: ~Copyable {
  private let perTask: (_ task: Int, _ worker: Int) -> Void
  private let perBlock: (_ range: Range<Int>, _ worker: Int) -> Void
  /// Of a block; 0 where a task is a task.
  private let size: Int
  private let total: Int

  init(perTask: @escaping (_ task: Int, _ worker: Int) -> Void) {
    self.perTask = perTask
    perBlock = { _, _ in }
    (size, total) = (0, 0)
  }

  init(size: Int, total: Int, perBlock: @escaping (_ range: Range<Int>, _ worker: Int) -> Void) {
    perTask = { _, _ in }
    self.perBlock = perBlock
    (self.size, self.total) = (size, total)
  }

  @inline(never)
  func run(_ task: Int, _ worker: Int) {
    if size == 0 {
      perTask(task, worker)
    } else {
      perBlock(task * size..<min(total, (task + 1) * size), worker)
    }
  }
}

@safe private final class Body {
  let address: UnsafePointer<UncountedBody>

  init(_ body: consuming UncountedBody) {
    let memory = UnsafeMutablePointer<UncountedBody>.allocate(capacity: 1)
    unsafe memory.initialize(to: body)
    unsafe address = UnsafePointer(memory)
  }

  deinit {
    let memory = unsafe UnsafeMutablePointer(mutating: address)
    unsafe memory.deinitialize(count: 1)
    unsafe memory.deallocate()
  }
}
