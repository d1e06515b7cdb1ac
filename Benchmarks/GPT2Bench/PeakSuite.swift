import Foundation
import GPT2
import JSON
import Machine
import Operators
import Terminal

/// One kind of arithmetic on some threads: how much of it the machine does, sampled all through the run.
private struct ArithmeticLimit {
  let arithmetic: Limits.Arithmetic
  let context: ExecutionContext
  private let iterations: Int
  let operations: Double
  private(set) var times: [Double] = []

  /// Makes a sample long against a clock's tick and the waking of threads, and short against a round: ≥ 10 ms.
  init(_ arithmetic: Limits.Arithmetic, context: ExecutionContext, single: ExecutionContext) {
    (self.arithmetic, self.context) = (arithmetic, context)
    var iterations = 1 << 6
    repeat {
      iterations *= 2
    } while milliseconds(of: {
      _ = Limits.multiplyAdd(arithmetic, iterations: iterations, context: single)
    }) < 10
    self.iterations = iterations
    operations = Limits.multiplyAdd(arithmetic, iterations: iterations, context: context)
  }

  mutating func sample() {
    times.append(
      milliseconds { _ = Limits.multiplyAdd(arithmetic, iterations: iterations, context: context) })
  }

  /// Operations per second, in 10⁹; valid after the first sample.
  var gigaflops: Double { operations / Timing(times).median / 1e6 }

  var name: String {
    switch arithmetic {
    case .float32: "fma"
    case .bfloat16: "bf16 dot"
    case .bfloat16Tiles: "bf16 amx"
    case .int8: "int8 dot"
    }
  }
}

/// The denominators of every fraction: arithmetic and memory reads, sampled all through the run.
final class Peak {
  private let context: ExecutionContext
  private let single: ExecutionContext
  private let precision: OperandPrecision
  /// Bytes of the read buffer: so far beyond the caches that they hardly help.
  private let readBytes: Int
  /// Of all threads, in the order of `Limits.Arithmetic`, and of one.
  private var all, one: [ArithmeticLimit]
  private var times = (read: [Double](), singleRead: [Double]())

  /// - Parameter precision: what products multiply, measured even where it is put together from other arithmetic.
  init(context: ExecutionContext, precision: OperandPrecision, quick: Bool) throws {
    self.context = context
    self.precision = precision
    try context.reserve(sequenceLength: 1, sharedCount: context.threads)
    let single = try ExecutionContext(threads: 1, instructionSet: context.instructionSet)
    self.single = single
    let lastBytes = Topology.current.lastCacheBytes
    let wanted = quick ? max(128 << 20, 2 * lastBytes) : max(512 << 20, 4 * lastBytes)
    let available = Topology.current.availableMemoryBytes ?? Int.max
    readBytes = max(1 << 20, min(wanted, available / 4))
    let kinds = Limits.Arithmetic.allCases.filter {
      Limits.has($0, context: context) || $0 == precision.arithmetic
    }
    all = kinds.map { ArithmeticLimit($0, context: context, single: single) }
    one = kinds.map { ArithmeticLimit($0, context: single, single: single) }
  }

  /// Operations per second on all threads, in 10⁹; valid after the first sample.
  func gigaflops(_ arithmetic: Limits.Arithmetic = .float32) -> Double {
    all.first { $0.arithmetic == arithmetic }?.gigaflops ?? 0
  }

  /// Whether something else held the machine while its peak was measured: half of the samples were 1.5 × the fastest.
  var isDisturbed: Bool { Timing(all[0].times).median > 1.5 * Timing(all[0].times).least }

  /// Bytes read per second on all threads, in 10⁹; valid after the first sample.
  var gigabytes: Double { Double(readBytes) / Timing(times.read).median / 1e6 }

  /// Floats that exceed the caches as the read buffer does.
  var streamingCount: Int { readBytes / MemoryLayout<Float>.stride }

  /// A sentence where training in bfloat16 has nothing to win: its products are no faster than float32's.
  var pairedNote: String? {
    let paired = precision == .fp32 ? OperandPrecision.bf16 : precision
    let ratio = gigaflops(paired.arithmetic) / gigaflops()
    if ratio >= 1.05 { return nil }
    var reason = ""
    if paired == .bf16AMX, case .emulated(let why) = context.kernels.tileUnit {
      reason = " (emulated: \(why))"
    }
    return
      "\(paired.rawValue) products run at \(NumberText.significant(ratio)) × the speed of fp32's here\(reason): fp32 is "
      + "the faster precision on this machine, with these kernels"
  }

  func sampleArithmetic() {
    for index in all.indices where all[index].arithmetic != .int8 { all[index].sample() }
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
      for index in all.indices {
        one[index].sample()
        all[index].sample()
      }
      times.read.append(milliseconds { sum += Limits.read(arena.all, context: context) })
      times.singleRead.append(milliseconds { sum += Limits.read(arena.all, context: single) })
    }
    precondition(sum == 0, "zeros add up to zero")
  }

  /// Everything sampled so far.
  var rows: [Row] {
    let threads = context.threads == 1 ? [all] : [all, one]
    let arithmetic = all.indices.flatMap { index in threads.map { row($0[index]) } }
    let reads = [times.read, times.singleRead].prefix(threads.count)
    return arithmetic
      + zip([context.threads, 1], reads).map { row("read", threads: $0, $1, .traffic(Double(readBytes))) }
  }

  private func row(_ limit: ArithmeticLimit) -> Row {
    row(
      limit.name, threads: limit.context.threads, limit.times, .arithmetic(limit.operations, limit.arithmetic)
    )
  }

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
    return Section(title: "peak", rows: { [peak] in peak.rows }, notes: [peak.pairedNote].compactMap(\.self))
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
