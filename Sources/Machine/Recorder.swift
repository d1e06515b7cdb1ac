import CLinux

/// What a region of a pass is called.
public struct RegionName: Sendable, Equatable {
  /// As `#fileID` and `#function` say it, of the operator.
  let file, function: StaticString
  /// Which of several: a weight's name.
  let operand: String

  /// The name of whoever calls this.
  ///
  /// - Parameter operand: the name of a weight, which tells several such regions apart.
  public init(file: StaticString = #fileID, function: StaticString = #function, operand: String = "") {
    self.file = file
    self.function = function
    self.operand = operand
  }

  /// "LayerNorm.forward", "Linear.backward fcw".
  public var text: String {
    let type = "\(file)".split(separator: "/").last?.split(separator: ".").first.map { String($0) } ?? ""
    let name = "\(type).\("\(function)".prefix { $0 != "(" })"
    return operand.isEmpty ? name : "\(name) \(operand.prefix { $0 != " " })"
  }

  public static func == (left: RegionName, right: RegionName) -> Bool { left.text == right.text }
}

/// Who ran what, and when: for people who look at a step. A pass without one pays nothing.
///
/// Times are nanoseconds of one clock. Each slot writes to a list of its own; lists are read between passes.
///
/// `@unchecked Sendable`: a slot's list belongs to the thread that has the slot, the regions to the one that opens them or
/// does their last task, the rest to the team's leader.
public final class Recorder: @unchecked Sendable {
  /// A region, from when it was opened.
  public struct Region: Sendable {
    /// Of the operator that opened it.
    public let name: RegionName
    /// What the program said last that it is doing.
    public let section: String
    /// How many it has.
    public let tasks: Int
    /// Nanoseconds, as all times here.
    public fileprivate(set) var start: Int
    /// When its last task was done.
    public fileprivate(set) var end: Int
  }

  /// A thread's part of a region, from when it had its first task to when it found no other.
  public struct Part: Sendable {
    /// The region's number.
    public let region: Int
    /// Nanoseconds.
    public let start, end: Int
    /// How many the thread ran.
    public let tasks: Int
    /// Of them, those of other domains.
    public let stolen: Int
  }

  /// One program of the team, from the call for its threads to the last one's return.
  public struct Pass: Sendable {
    /// What the program said last that its passes are.
    public let name: String
    /// Nanoseconds.
    public let start: Int
    /// When its last thread had left.
    public fileprivate(set) var end: Int
    /// Its regions' numbers.
    public fileprivate(set) var regions: Range<Int>
  }

  /// Of the threads whose passes it writes down.
  public let slots: Int
  /// A pass that begins with so many regions is not written down: memory stays bounded, whatever passes are.
  private let most: Int
  public private(set) var passes: [Pass] = []
  public private(set) var regions: [Region] = []
  private let lists: [PartList]
  private var (name, section) = ("", "")

  /// - Parameter parts: about as many are kept; 40 bytes each.
  public init(slots: Int, parts: Int = 1 << 20) {
    self.slots = slots
    most = max(1, parts / slots)
    lists = (0..<slots).map { _ in PartList() }
  }

  /// The parts of a slot, in the order of time.
  ///
  /// - Precondition: no pass is running.
  public func parts(slot: Int) -> [Part] { lists[slot].parts }

  /// Whether another pass is not written down.
  public var isFull: Bool { regions.count >= most }

  /// Says what the passes that follow are.
  public func begin(passes name: String) { self.name = name }

  /// Says what the regions that follow are for.
  public func begin(section: String) { self.section = section }

  var now: Int { Int(clinux_nanoseconds()) }

  func beginPass() {
    let time = now
    passes.append(Pass(name: name, start: time, end: time, regions: regions.count..<regions.count))
  }

  func endPass() {
    passes[passes.count - 1].end = now
    passes[passes.count - 1].regions = passes[passes.count - 1].regions.lowerBound..<regions.count
  }

  /// One that is to be opened.
  func region(_ name: RegionName, tasks: Int) -> Region {
    Region(name: name, section: section, tasks: tasks, start: 0, end: 0)
  }

  /// - Returns: the region's number.
  func open(_ region: Region) -> Int {
    let time = now
    regions.append(region)
    regions[regions.count - 1].start = time
    regions[regions.count - 1].end = time
    return regions.count - 1
  }

  func close() { regions[regions.count - 1].end = now }

  /// Called while the leader may open the next region.
  func add(_ part: Part, slot: Int) { lists[slot].parts.append(part) }
}

/// An object of its own, so that slots share no array.
private final class PartList {
  var parts: [Recorder.Part] = []

  init() { parts.reserveCapacity(1 << 12) }
}
