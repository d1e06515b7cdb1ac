import CLinux

/// Threads that are not there: runs a region's tasks one after the other and writes down how long as many threads as
/// there are slots would have taken for them, by a clock of each thread's own.
///
/// Tasks are claimed as a team's threads claim them: a thread takes its domain's next one, then helps the nearest domain
/// that has any left. All use the scratch of the first slot: the one thread that runs finds it in its cache, as each of
/// many would find its own. What it leaves out: threads that share caches, cores or memory slow each other down, and a
/// region costs something itself.
///
/// `@unchecked Sendable`: one thread at a time uses it.
public final class Simulation: @unchecked Sendable {
  /// What a region would have taken.
  public struct Region: Sendable {
    /// Of the operator that opened it.
    public let name: RegionName
    /// How many it has.
    public let tasks: Int
    /// Of other domains than their thread's.
    public let stolen: Int
    /// What all tasks took together, in the clock's unit.
    public let work: Int
    /// When the last thread had no more to do.
    public let span: Int
  }

  public private(set) var regions: [Region] = []
  private let clock: () -> Int

  /// - Parameter clock: what time it is, in any unit; by default nanoseconds.
  public init(clock: (() -> Int)? = nil) {
    self.clock = clock ?? { Int(clinux_nanoseconds()) }
  }

  /// Takes out the regions so far.
  public func forget() { regions.removeAll() }

  func run(
    _ bounds: Span<Int>, on slots: Slots, name: RegionName, _ body: (_ task: Int, _ worker: Int) -> Void
  ) {
    var next = (0..<slots.domains.count).map { bounds[$0] }
    var left = bounds[slots.domains.count]
    var free = [Int](repeating: 0, count: slots.count)
    let domainOfSlot = slots.domains.enumerated().flatMap { number, domain in
      domain.slots.map { _ in number }
    }
    var (work, stolen) = (0, 0)
    while left > 0 {
      guard let slot = free.indices.min(by: { free[$0] < free[$1] }) else { break }
      let own = domainOfSlot[slot]
      guard let domain = ([own] + slots.domains[own].others).first(where: { next[$0] < bounds[$0 + 1] })
      else { break }
      let start = clock()
      body(next[domain], 0)
      let duration = clock() - start
      next[domain] += 1
      left -= 1
      free[slot] += duration
      work += duration
      if domain != own { stolen += 1 }
    }
    regions.append(
      Region(
        name: name, tasks: bounds[slots.domains.count], stolen: stolen, work: work,
        span: free.max() ?? 0))
  }
}
