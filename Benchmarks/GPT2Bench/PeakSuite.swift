import Foundation
import JSON
import Machine
import Operators

/// The denominators of every fraction: multiply-adds and memory reads, sampled all through the run.
final class Peak {
  private let context: ExecutionContext
  private let single: ExecutionContext
  /// Bytes of the read buffer: so far beyond the caches that they hardly help.
  private let readBytes: Int
  private var iterations = 1 << 12
  private var operations = (all: 0.0, single: 0.0)
  private var times = (all: [Double](), single: [Double](), read: [Double](), singleRead: [Double]())

  init(context: ExecutionContext, quick: Bool) throws {
    self.context = context
    try context.reserve(sequenceLength: 1, sharedCount: context.threads)
    single = try ExecutionContext(threads: 1, instructionSet: context.instructionSet)
    let lastBytes = Topology.current.lastCacheBytes
    let wanted = quick ? max(128 << 20, 2 * lastBytes) : max(512 << 20, 4 * lastBytes)
    let available = Topology.current.availableMemoryBytes ?? Int.max
    readBytes = max(1 << 20, min(wanted, available / 4))
    calibrate()
  }

  /// FLOP per second on all threads, in 10⁹; valid after the first sample.
  var gigaflops: Double { operations.all / Timing(times.all).median / 1e6 }

  /// Whether something else held the machine while its peak was measured: half of the samples were 1.5 × the fastest.
  var isDisturbed: Bool { Timing(times.all).median > 1.5 * Timing(times.all).least }

  /// Bytes read per second on all threads, in 10⁹; valid after the first sample.
  var gigabytes: Double { Double(readBytes) / Timing(times.read).median / 1e6 }

  /// Floats that exceed the caches as the read buffer does.
  var streamingCount: Int { readBytes / MemoryLayout<Float>.stride }

  /// Makes a sample long against a clock's tick and the waking of threads, and short against a round: ≥ 10 ms.
  private func calibrate() {
    repeat { iterations *= 2 } while milliseconds(of: { measure(single) }) < 10
    operations = (measure(context), measure(single))
  }

  @discardableResult
  private func measure(_ context: ExecutionContext) -> Double {
    Limits.multiplyAdd(iterations: iterations, context: context)
  }

  func sampleArithmetic() {
    times.all.append(milliseconds { measure(context) })
  }

  /// Samples everything.
  ///
  /// - Throws: `MemoryError`: the read buffer lives only for the sample, so that no suite's memory includes it.
  func sample(rounds: Int = 3) throws {
    let arena = try Arena([.init(name: "read", shape: [streamingCount])], what: "the buffer to read")
    // Pages that nobody has written are all one page of zeros.
    Residual.zero(arena.all, context: context)
    var sum = Limits.read(arena.all, context: context)
    for _ in 0..<rounds {
      times.single.append(milliseconds { measure(single) })
      sampleArithmetic()
      times.read.append(milliseconds { sum += Limits.read(arena.all, context: context) })
      times.singleRead.append(milliseconds { sum += Limits.read(arena.all, context: single) })
    }
    precondition(sum == 0, "zeros add up to zero")
  }

  /// Everything sampled so far.
  var rows: [Row] {
    let bytes = Double(arenaBytes)
    var rows = [
      row("fma", threads: context.threads, times.all, .arithmetic(operations.all)),
      row("read", threads: context.threads, times.read, .traffic(bytes)),
    ]
    if context.threads > 1 {
      rows.insert(row("fma", threads: 1, times.single, .arithmetic(operations.single)), at: 1)
      rows.append(row("read", threads: 1, times.singleRead, .traffic(bytes)))
    }
    return rows
  }

  private var arenaBytes: Int { streamingCount * MemoryLayout<Float>.stride }

  private func row(_ name: String, threads: Int, _ times: [Double], _ cost: Cost) -> Row {
    Row(
      suite: .peak, name: "\(name), \(threads) thread\(threads == 1 ? "" : "s")", timing: Timing(times),
      cost: cost,
      fields: [("threads", .integer(threads))])
  }
}

// MARK: - The suite

extension Session {
  func peakSection() throws -> Section {
    try peak.sample(rounds: settings.quick ? 5 : 15)
    // The rows of the limits are asked for as often as they are shown: they hold all samples until then.
    return Section(title: "peak", rows: { [peak] in peak.rows })
  }

  /// What an empty parallel region costs: between others, and after the workers fell asleep.
  ///
  /// Nil on one thread, which opens none.
  func regionsSection() -> Section? {
    guard context.threads > 1 else { return nil }
    let parallel = context.parallel
    func region() { parallel.forEach(parallel.threads) { _, _ in } }
    let (rounds, batch) = (settings.quick ? 20 : 100, 100)
    let awake = (0..<rounds).map { _ in milliseconds { for _ in 0..<batch { region() } } / Double(batch) }
    var together: [Double] = []
    for _ in 0..<rounds {
      parallel.together { team in
        together.append(
          milliseconds {
            for _ in 0..<batch { parallel.forEach(parallel.threads, team: team) { _, _ in } }
          } / Double(batch))
      }
    }
    let asleep = (0..<rounds).map { _ in
      Thread.sleep(forTimeInterval: 0.01)
      return milliseconds(of: region)
    }
    let rows = [
      Row(suite: .peak, name: "region of a team", timing: Timing(together), cost: .none),
      Row(suite: .peak, name: "region, workers awake", timing: Timing(awake), cost: .none),
      Row(suite: .peak, name: "region, workers asleep", timing: Timing(asleep), cost: .none),
    ]
    return Section(title: "empty parallel regions", rows: { rows })
  }
}
