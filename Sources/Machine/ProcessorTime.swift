/// How long the processors at hand have worked so far, and how much of that for this process.
///
/// The kernel counts in ticks, mostly of 10 ms: shares over less than some tenths of a second are guesses.
public struct ProcessorTime: Sendable, Equatable {
  /// Ticks that have passed, summed over the processors.
  let total: Int
  /// Those in which a processor was neither idle nor waiting for a disk, or the host of a virtual machine had it.
  let busy: Int
  /// Ticks that the process itself has run, all its threads together.
  let own: Int

  /// The counts now, of the processors in the process's affinity mask; nil where the system does not tell.
  public static var now: ProcessorTime? { read(root: "", processors: Topology.current.affinity) }

  /// - Parameter root: where `proc` is; empty for the machine itself.
  package static func read(root: String, processors: [Int]) -> ProcessorTime? {
    let files = SystemFiles(root: root)
    guard let all = files.text("proc/stat"), let process = files.text("proc/self/stat"),
      let own = ownTicks(process)
    else { return nil }
    let names = Set(processors.map { "cpu\($0)" })
    var (total, busy, found) = (0, 0, 0)
    for line in all.split(separator: "\n") {
      let words = line.split(separator: " ")
      guard let name = words.first, names.contains(String(name)) else { continue }
      // user, nice, system, idle, iowait, irq, softirq, steal; guests' time is in user and nice already.
      let ticks = words.dropFirst().prefix(8).map { Int($0) ?? 0 }
      guard ticks.count >= 5 else { return nil }
      let sum = ticks.reduce(0, &+)
      total &+= sum
      busy &+= sum &- ticks[3] &- ticks[4]
      found += 1
    }
    return found == names.count ? ProcessorTime(total: total, busy: busy, own: own) : nil
  }

  /// utime and stime, the 14th and 15th field; the second one is a name in parentheses that may hold anything.
  private static func ownTicks(_ stat: String) -> Int? {
    guard let end = stat.lastIndex(of: ")") else { return nil }
    let fields = stat[stat.index(after: end)...].split(separator: " ")
    guard fields.count > 12, let user = Int(fields[11]), let system = Int(fields[12]) else { return nil }
    return user &+ system
  }

  /// The share of the processors' time since `earlier` that others took, in 0...1; nil before the first tick.
  public func shareOfOthers(since earlier: ProcessorTime) -> Double? {
    let passed = total &- earlier.total
    guard passed > 0 else { return nil }
    let others = (busy &- earlier.busy) &- (own &- earlier.own)
    return min(1, max(0, Double(others) / Double(passed)))
  }
}
