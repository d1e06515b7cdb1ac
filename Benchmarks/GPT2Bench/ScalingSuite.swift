import GPT2
import JSON
import Machine
import Operators
import Terminal

extension Session {
  /// Training steps on 1, 2, 4, … threads and on all, in turns: of one batch (strong scaling), and of as many sequences
  /// as there are threads (weak scaling, where B is a multiple of the threads); and what else than the tasks of one
  /// thread their time goes to.
  func scalingSection() throws -> Section {
    let models = try scalingModels()
    for (index, model) in models.enumerated() {
      Console.showProgress("scaling: initialising model \(index + 1) of \(models.count)")
      model.initialize()
    }
    var runs = try models.map { try ScalingRun($0, .strong, batchSize: settings.batchSize, self) }
    runs += try models.compactMap { model in
      let (batch, rest) = (settings.batchSize * model.context.threads).quotientAndRemainder(
        dividingBy: settings.threads)
      // On all threads it is the same as strong scaling.
      guard rest == 0, batch > 0, batch < settings.batchSize else { return nil }
      return try ScalingRun(model, .weak, batchSize: batch, self)
    }
    for step in -2..<settings.steps {
      Console.showProgress("scaling: round \(step + 1) of \(settings.steps)")
      peak.sampleArithmetic()
      for run in runs { try run.step(isTimed: step >= 0) }
    }
    for run in runs { try run.record() }
    let rows = runs.map { row($0, runs) }
    return Section(
      title: "scaling", columns: ["speed-up", "efficiency %", "slower %", "waiting %", "between %"],
      rows: { rows },
      notes: [
        "speed-up is in tokens a second over one thread's; of the threads' time efficiency is what one thread takes for its tasks, slower what the same tasks take longer beside others (memory, caches, clock), waiting for others in a region (or, the leader's, saying what the next ones are), between regions one works alone"
      ])
  }

  /// One for each number of threads, which are where all threads would be.
  func scalingModels() throws -> [Model] {
    try Self.threadCounts(to: settings.threads).map { try emptyModel(on: makeContext(threads: $0)) }
  }

  /// Of the first of all threads.
  ///
  /// - Parameter simulation: what stands for them.
  func makeContext(threads: Int, simulation: Simulation? = nil) throws -> ExecutionContext {
    try ExecutionContext(
      threads: threads, instructionSet: settings.instructionSet,
      slots: context.parallel.slots.first(threads), simulation: simulation)
  }

  /// 1, 2, 4, … and the last.
  static func threadCounts(to last: Int) -> [Int] {
    var counts = [1]
    while counts[counts.count - 1] * 2 < last { counts.append(counts[counts.count - 1] * 2) }
    return last > 1 ? counts + [last] : counts
  }

  private func row(_ run: ScalingRun, _ runs: [ScalingRun]) -> Row {
    // The first of its kind has one thread; weak scaling may begin with the strong one's.
    let one = runs.first { $0.threads == 1 && $0.batchSize == run.batchSize } ?? runs[0]
    let scale = Double(run.batchSize) / Double(one.batchSize)
    let timing = Timing(run.times)
    let speedUp = Timing(one.times).median * scale / timing.median
    let shares = run.accounts.shares(oneThread: one.accounts.busy * scale)
    return Row(
      suite: .scaling,
      name: "\(run.kind.rawValue), \(NumberText.count(run.threads, "thread")), B=\(run.batchSize)",
      timing: timing, cost: .none,
      fields: [
        ("kind", .text(run.kind.rawValue)), ("threads", .integer(run.threads)),
        ("batch_size", .integer(run.batchSize)), ("sequence_length", .integer(settings.sequenceLength)),
        ("precision", .text(settings.precision.rawValue)), ("speed_up", .double(speedUp)),
        ("efficiency", .double(speedUp / Double(run.threads))), ("busy_share", .double(shares.busy)),
        ("slower_share", .double(shares.slower)), ("waiting_share", .double(shares.waiting)),
        ("between_share", .double(shares.between)), ("stolen_tasks", .integer(run.accounts.stolen)),
        ("tasks", .integer(run.accounts.tasks)),
      ],
      cells: [
        .number(speedUp), .number(100 * speedUp / Double(run.threads)), .number(100 * shares.slower),
        .number(100 * shares.waiting), .number(100 * shares.between),
      ])
  }
}

extension Slots {
  /// A number of threads in the first of these slots.
  fileprivate func first(_ threads: Int) -> Slots {
    if threads == count { return self }
    return arePinned ? Slots(pinned: threads, on: .current) : Slots(unpinned: threads)
  }
}

/// Steps of one batch on some threads.
private final class ScalingRun {
  enum Kind: String { case strong, weak }

  let kind: Kind
  let batchSize: Int
  private let model: Model
  private let steps: TrainingSteps
  private(set) var times: [Double] = []
  private(set) var accounts = Accounts()

  var threads: Int { model.context.threads }

  init(_ model: Model, _ kind: Kind, batchSize: Int, _ session: Session) throws {
    (self.model, self.kind, self.batchSize) = (model, kind, batchSize)
    steps = try TrainingSteps(model, session, batchSize: batchSize)
  }

  func step(isTimed: Bool) throws {
    let time = try milliseconds { try steps.step() }
    if isTimed { times.append(time) }
  }

  /// Some more steps, written down, of which the fastest counts: its tasks were interrupted least.
  func record() throws {
    for number in 0..<Self.recordedSteps {
      let recorder = Recorder(slots: threads)
      model.context.recorder = recorder
      try step(isTimed: false)
      model.context.recorder = nil
      let found = Accounts(recorder)
      if number == 0 || found.all < accounts.all { accounts = found }
    }
  }

  private static let recordedSteps = 5
}

/// Where the threads' time went, in nanoseconds.
struct Accounts {
  /// In tasks, summed over threads; in regions, and in all, whoever was there.
  var busy = 0.0
  var inRegions = 0.0
  var all = 0.0
  var tasks = 0
  var stolen = 0

  init() {}

  init(_ recorder: Recorder) {
    let slots = Double(recorder.slots)
    all = slots * recorder.passes.reduce(0) { $0 + Double($1.end - $1.start) }
    inRegions = slots * recorder.regions.reduce(0) { $0 + Double($1.end - $1.start) }
    for slot in 0..<recorder.slots {
      for part in recorder.parts(slot: slot) {
        busy += Double(part.end - part.start)
        tasks += part.tasks
        stolen += part.stolen
      }
    }
  }

  /// Of all time; `oneThread` is what one takes for the same tasks.
  func shares(oneThread: Double) -> (busy: Double, slower: Double, waiting: Double, between: Double) {
    guard all > 0 else { return (0, 0, 0, 0) }
    return (
      min(oneThread, busy) / all, (busy - min(oneThread, busy)) / all, (inRegions - busy) / all,
      (all - inRegions) / all
    )
  }
}
