/// Independent tasks of a parallel region: `body(task, worker)` for every task in 0..<count.
@safe public struct Work {
  public let count: Int
  /// About those of the longest task, so that a region begins with the work whose tasks take long; 0 for short ones.
  let operations: Int
  /// Tasks t and t + lap have one home; those of a lap are shared out evenly, in their order.
  private let lap: Int
  /// Domain d has the tasks bounds[d]..<bounds[d + 1]; nil: laps are shared out.
  private let bounds: [Int]?
  private let body: Body

  /// - Parameters:
  ///   - lap: how many tasks there are until their homes begin anew, such as heads that have several tasks each; by default
  ///     all.
  ///   - operations: about those of the longest task: beside work of shorter ones it comes first, so that no thread
  ///     begins with a long one when others have none left.
  public init(
    count: Int, lap: Int? = nil, operations: Int = 0, _ body: @escaping (_ task: Int, _ worker: Int) -> Void
  ) {
    self.init(count: count, lap: lap ?? count, operations: operations, UncountedBody(perTask: body))
  }

  /// One task for every block of `size` elements of 0..<total.
  ///
  /// - Parameter body: called with other ranges, too, none empty, where not all of 0..<total is wanted at once.
  public static func blocks(
    of size: Int, in total: Int, _ body: @escaping (_ range: Range<Int>, _ worker: Int) -> Void
  ) -> Work {
    let count = (total + size - 1) / size
    return Work(count: count, lap: count, UncountedBody(size: size, total: total, perBlock: body))
  }

  private init(
    count: Int, lap: Int, operations: Int = 0, bounds: [Int]? = nil, _ body: consuming UncountedBody
  ) {
    precondition(lap > 0 ? count % lap == 0 : count == 0, "\(count) tasks in laps of \(lap)")
    self.count = count
    self.lap = lap
    self.operations = operations
    self.bounds = bounds
    self.body = Body(body)
  }

  /// The same on some ranges only: a task for each, or several where it is longer than a block.
  ///
  /// - Parameter ranges: those of each domain.
  /// - Precondition: it was made of blocks, or has no task and does nothing.
  package func blocks(on ranges: [[Range<Int>]]) -> Work {
    if count == 0 { return self }
    let size = unsafe body.address.pointee.size
    precondition(size > 0, "only work that was made of blocks can be done by ranges")
    var (blocks, bounds) = ([Range<Int>](), [0])
    for ranges in ranges {
      for range in ranges {
        for start in stride(from: range.lowerBound, to: range.upperBound, by: size) {
          blocks.append(start..<min(range.upperBound, start + size))
        }
      }
      bounds.append(blocks.count)
    }
    return Work(
      count: blocks.count, lap: blocks.count, bounds: bounds,
      UncountedBody { [blocks] task, worker in run(blocks[task], worker: worker) })
  }

  /// Runs a range here and now, as a part of another piece of work's task.
  ///
  /// - Precondition: it was made of blocks, or has no task and does nothing.
  package func run(_ range: Range<Int>, worker: Int) {
    if count == 0 { return }
    unsafe body.address.pointee.run(range, worker)
  }

  /// Runs all tasks, here and now: as a part of another piece of work's task.
  package func runAll(worker: Int) {
    for task in 0..<count { unsafe body.address.pointee.run(task, worker) }
  }

  /// Those whose home is one domain; valid as long as this work lives.
  func tasks(of domain: Int, _ homes: Homes) -> HomedTasks {
    if let bounds { return HomedTasks(tasks, bounds[domain]..<bounds[domain + 1], laps: 1) }
    return HomedTasks(tasks, homes.share(of: lap, domain), laps: lap == 0 ? 0 : count / lap)
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
  fileprivate init(_ tasks: WorkTasks, _ ofLap: Range<Int>, laps: Int) {
    (first, width) = (ofLap.lowerBound, ofLap.count)
    count = laps * width
    self.tasks = tasks
  }

  @inline(__always)
  func run(_ task: Int, worker: Int) {
    // Of several laps each has the tasks in the order of the whole.
    let (lap, place) = width == count ? (0, task) : task.quotientAndRemainder(dividingBy: width)
    tasks.run(lap * tasks.lap + first + place, worker: worker)
  }
}

/// What runs tasks; not copyable, and so called where it lies.
struct UncountedBody: ~Copyable {
  private let perTask: (_ task: Int, _ worker: Int) -> Void
  private let perBlock: (_ range: Range<Int>, _ worker: Int) -> Void
  /// Of a block; 0 where a task is a task.
  let size: Int
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

  func run(_ range: Range<Int>, _ worker: Int) {
    precondition(size > 0, "only work that was made of blocks can be done by ranges")
    perBlock(range, worker)
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
