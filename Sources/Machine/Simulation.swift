import CLinux

/// Threads that are not there: runs a region's tasks one after the other, each timed, and finds how long as many threads
/// as there are slots would take for them, by a clock of each thread's own.
///
/// Tasks are claimed as a team's threads claim them: a thread takes its domain's next one, then helps the nearest domain
/// that has any left. They run in the order of their index, a domain's behind one another and with one scratch: the one
/// thread that runs finds in its cache what each of many would find in its own, or in the one that its domain shares.
/// What is left out: threads that share caches, cores or memory slow each other down, and a region costs something
/// itself.
///
/// `@unchecked Sendable`: one thread at a time uses it.
public final class Simulation: @unchecked Sendable {
  /// What a region would have taken.
  public struct Region: Sendable {
    /// Of the operator that opened it.
    public let name: RegionName
    /// How long each task took, in the clock's unit.
    let durations: [Int]
    private let bounds: [Int]
    private let slots: Slots
    /// Of other domains than their thread's.
    public let stolen: Int
    /// When the last thread had no more to do, in the clock's unit.
    public let span: Int

    /// How many tasks it has.
    public var tasks: Int { durations.count }
    /// What all tasks took together, in the clock's unit.
    public var work: Int { durations.reduce(0, +) }

    init(name: RegionName, durations: [Int], bounds: [Int], slots: Slots) {
      (self.name, self.durations, self.bounds, self.slots) = (name, durations, bounds, slots)
      (span, stolen) = Self.schedule(durations, bounds, slots)
    }

    /// With each task as it was when it took least, here or in the same region of another step: who is interrupted in
    /// one step need not be in the next, and of many threads one always would be.
    ///
    /// - Precondition: both have the same tasks.
    public func least(_ other: Region) -> Region {
      precondition(durations.count == other.durations.count, "regions of different steps of one model")
      return Region(
        name: name, durations: zip(durations, other.durations).map(min), bounds: bounds, slots: slots)
    }

    private static func schedule(
      _ durations: [Int], _ bounds: [Int], _ slots: Slots
    ) -> (span: Int, stolen: Int) {
      let domainOfSlot = slots.domains.enumerated().flatMap { number, domain in
        domain.slots.map { _ in number }
      }
      var next = bounds
      var free = [Int](repeating: 0, count: slots.count)
      var stolen = 0
      for _ in durations {
        guard let slot = free.indices.min(by: { free[$0] < free[$1] }) else { break }
        let own = domainOfSlot[slot]
        guard let domain = ([own] + slots.domains[own].others).first(where: { next[$0] < bounds[$0 + 1] })
        else { break }
        free[slot] += durations[next[domain]]
        next[domain] += 1
        if domain != own { stolen += 1 }
      }
      return (free.max() ?? 0, stolen)
    }
  }

  /// In the order in which they were run.
  public private(set) var regions: [Region] = []
  /// What the regions took to run here, in the clock's unit, all tasks and the finding of their schedules: the rest of a
  /// pass is between them.
  public private(set) var elapsed = 0
  private let clock: () -> Int

  /// - Parameter clock: what time it is, in any unit; by default nanoseconds.
  public init(clock: (() -> Int)? = nil) {
    self.clock = clock ?? { Int(clinux_nanoseconds()) }
  }

  /// Takes out the regions so far.
  public func forget() {
    regions.removeAll()
    elapsed = 0
  }

  func run(
    _ bounds: Span<Int>, on slots: Slots, name: RegionName, _ body: (_ task: Int, _ worker: Int) -> Void
  ) {
    let opened = clock()
    let bounds = bounds.indices.map { bounds[$0] }
    let durations = slots.domains.enumerated().flatMap { number, domain in
      (bounds[number]..<bounds[number + 1]).map { task in
        let start = clock()
        body(task, domain.slots.lowerBound)
        return clock() - start
      }
    }
    regions.append(Region(name: name, durations: durations, bounds: bounds, slots: slots))
    elapsed += clock() - opened
  }
}
