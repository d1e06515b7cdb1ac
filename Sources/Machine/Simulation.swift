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
    /// What the leader did until he had described it.
    let leading: Leading
    private let bounds: [Int]
    private let slots: Slots

    /// Of other domains than their thread's.
    public var stolen: Int { schedule().stolen }
    /// When the last thread had no more to do, if all began at once, in the clock's unit.
    public var span: Int { schedule().end }
    /// How many tasks it has.
    public var tasks: Int { durations.count }
    /// What all tasks took together, in the clock's unit.
    public var work: Int { durations.reduce(0, +) }

    init(name: RegionName, durations: [Int], leading: Leading, bounds: [Int], slots: Slots) {
      (self.name, self.durations, self.leading) = (name, durations, leading)
      (self.bounds, self.slots) = (bounds, slots)
    }

    /// With each task as it was when it took least, here or in the same region of another step: who is interrupted in
    /// one step need not be in the next, and of many threads one always would be.
    ///
    /// - Precondition: both have the same tasks.
    public func least(_ other: Region) -> Region {
      precondition(durations.count == other.durations.count, "regions of different steps of one model")
      return Region(
        name: name, durations: zip(durations, other.durations).map(min),
        leading: leading.least(other.leading),
        bounds: bounds, slots: slots)
    }

    /// - Parameter leader: when he joins, who has the first slot; the others begin at 0.
    fileprivate func schedule(leader: Int = 0) -> (end: Int, stolen: Int) {
      let domainOfSlot = slots.domains.enumerated().flatMap { number, domain in
        domain.slots.map { _ in number }
      }
      var next = bounds
      var free = [Int](repeating: 0, count: slots.count)
      free[0] = leader
      var (end, stolen) = (0, 0)
      for _ in durations {
        guard let slot = free.indices.min(by: { free[$0] < free[$1] }) else { break }
        let own = domainOfSlot[slot]
        guard let domain = ([own] + slots.domains[own].others).first(where: { next[$0] < bounds[$0 + 1] })
        else { break }
        free[slot] += durations[next[domain]]
        end = max(end, free[slot])
        next[domain] += 1
        if domain != own { stolen += 1 }
      }
      return (end, stolen)
    }
  }

  /// What one thread does before a region is described, in the clock's unit.
  struct Leading: Sendable {
    /// While regions before it may be running.
    var ahead = 0
    /// After it waited for them; nil: it did not.
    var alone: Int?

    fileprivate func least(_ other: Leading) -> Leading {
      Leading(
        ahead: min(ahead, other.ahead), alone: alone.flatMap { own in other.alone.map { min(own, $0) } })
    }
  }

  /// The regions of a step, and what the leader does after the last.
  public struct Step: Sendable {
    /// In their order.
    public let regions: [Region]
    let rest: Leading

    /// With all that took time as it was when it took least, here or in another step.
    ///
    /// - Precondition: both are steps of one model.
    public func least(_ other: Step) -> Step {
      precondition(regions.count == other.regions.count, "steps of one model")
      return Step(
        regions: zip(regions, other.regions).map { $0.least($1) }, rest: rest.least(other.rest))
    }

    /// - Parameter most: how many regions may be described and not done, by default as a team's leader describes.
    public func schedule(most: Int = Simulation.most) -> Schedule { Schedule(self, most: most) }
  }

  /// When the regions of a step follow each other.
  public struct Schedule: Sendable {
    /// How long each is open, in the clock's unit.
    public private(set) var spans: [Int] = []
    /// How long none is open because the next is not described, in the clock's unit.
    public private(set) var between = 0

    fileprivate init(_ step: Step, most: Int) {
      let regions = step.regions
      var clock = Clock(leadings: regions.map(\.leading), most: most)
      for index in regions.indices {
        let opened = clock.open(index)
        between += opened - clock.end
        let span = regions[index].schedule(leader: clock.joins(index, opened)).end
        spans.append(span)
        clock.end = opened + span
        clock.ends.append(clock.end)
      }
      between += max(0, clock.leader + step.rest.ahead - clock.end) + (step.rest.alone ?? 0)
    }

    /// Where leader and regions are.
    private struct Clock {
      let leadings: [Leading]
      let most: Int
      /// When the last region was done, and each.
      var end = 0
      var ends: [Int] = []
      /// When each region was described, as far as that is known.
      private var described: [Int] = []

      /// When the leader has described what he has described.
      var leader: Int { described.last ?? 0 }

      init(leadings: [Leading], most: Int) { (self.leadings, self.most) = (leadings, most) }

      /// When a region is opened whose predecessors are done.
      mutating func open(_ index: Int) -> Int {
        while described.count <= index { describe() }
        return max(end, described[index])
      }

      /// How long after a region was opened the leader joins those who run its tasks: when he has described what he can
      /// before it is done.
      mutating func joins(_ index: Int, _ opened: Int) -> Int {
        while described.count < min(leadings.count, index + most), leadings[described.count].alone == nil {
          describe()
        }
        // Until he has to wait for a place, or for results.
        let next = described.count < leadings.count ? leadings[described.count].ahead : 0
        return max(0, leader + next - opened)
      }

      private mutating func describe() {
        let number = described.count
        let leading = leadings[number]
        let ahead = leader + leading.ahead
        if let alone = leading.alone {
          described.append(max(ahead, ends.last ?? 0) + alone)
        } else {
          // There is a place for it when an older region is done.
          described.append(number >= most ? max(ahead, ends[number - most]) : ahead)
        }
      }
    }
  }

  /// How many regions a team's leader describes before they are done.
  public static let most = DescribedRegions.most

  /// In the order in which they were run.
  public private(set) var regions: [Region] = []
  /// What the leader does since the last of them.
  private var leading = Leading()
  /// Since when the leader is doing that: the end of the last region, or of waiting for it.
  private var time: Int
  private let clock: () -> Int

  /// - Parameter clock: what time it is, in any unit; by default nanoseconds.
  public init(clock: (() -> Int)? = nil) {
    self.clock = clock ?? { Int(clinux_nanoseconds()) }
    time = self.clock()
  }

  /// Takes out the regions so far: a step begins.
  public func begin() {
    regions.removeAll()
    leading = Leading()
    time = clock()
  }

  /// The step since `begin`.
  public var step: Step {
    lead()
    return Step(regions: regions, rest: leading)
  }

  /// The leader needs what the regions so far compute.
  func wait() {
    lead()
    if leading.alone == nil { leading.alone = 0 }
  }

  /// Counts the time since it was last counted.
  private func lead() {
    let now = clock()
    if leading.alone == nil { leading.ahead += now - time } else { leading.alone? += now - time }
    time = now
  }

  func run(
    _ bounds: Span<Int>, on slots: Slots, name: RegionName, _ body: (_ task: Int, _ worker: Int) -> Void
  ) {
    if bounds[slots.domains.count] == 0 { return }
    lead()
    let bounds = bounds.indices.map { bounds[$0] }
    let durations = slots.domains.enumerated().flatMap { number, domain in
      (bounds[number]..<bounds[number + 1]).map { task in
        let start = clock()
        body(task, domain.slots.lowerBound)
        return clock() - start
      }
    }
    regions.append(Region(name: name, durations: durations, leading: leading, bounds: bounds, slots: slots))
    leading = Leading()
    time = clock()
  }
}
