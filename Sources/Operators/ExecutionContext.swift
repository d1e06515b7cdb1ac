import Machine

/// Where operators run: an instruction set's kernels, a number of threads, and the scratch memory that they need.
///
/// One context serves one thread of control at a time: operators share its scratch.
public final class ExecutionContext {
  public let instructionSet: InstructionSet
  public let parallel: Parallel
  package let kernels: Kernels
  private var workerScratch: Arena
  private var sharedScratch: Arena
  private var workerScratchStride = 0
  /// A row for each worker; nil until somebody reserves it.
  private var optimizerScratch: Tensor?

  /// The threads of the running `together`.
  private var team: Team?
  /// Whether operators return before their tasks are done.
  private var isAhead = false
  /// Who writes down what runs where; nil: nobody.
  public var recorder: Recorder?

  public var threads: Int { parallel.threads }

  /// - Parameters:
  ///   - threads: how many work on an operator; by default the cores that the process may use.
  ///   - instructionSet: by default the best that the machine has.
  /// - Throws: `MemoryError` when the scratch cannot be allocated.
  /// - Precondition: threads > 0; the instruction set is available.
  public convenience init(
    threads: Int = Topology.current.defaultThreads, instructionSet: InstructionSet = .best
  ) throws(MemoryError) {
    try self.init(threads: threads, instructionSet: instructionSet, tileUnit: nil)
  }

  /// - Parameters:
  ///   - withMatrixUnit: whether a unit for bfloat16 is taken where there is one; the bits are the same.
  ///   - tileUnit: who multiplies in the order of tiles, in place of this process's; the bits are the same.
  ///   - slots: where the threads are, by default as `Parallel` decides.
  ///   - simulation: what stands for them.
  package init(
    threads: Int, instructionSet: InstructionSet, withMatrixUnit: Bool = true, tileUnit: TileUnit? = nil,
    slots: Slots? = nil, simulation: Simulation? = nil
  ) throws(MemoryError) {
    guard let kernels = Kernels(for: instructionSet, withUnit: withMatrixUnit, tileUnit: tileUnit) else {
      preconditionFailure("\(instructionSet) is not available on this machine")
    }
    self.instructionSet = instructionSet
    parallel =
      slots.map { Parallel(slots: $0, simulation: simulation) } ?? Parallel(threads: threads)
    precondition(parallel.threads == threads, "a slot for each thread")
    self.kernels = kernels
    sharedScratch = try Arena([.init(name: "shared scratch", shape: [1])])
    workerScratch = sharedScratch
    // One number a thread is the least that an operator shares.
    try reserve(sequenceLength: 1, sharedCount: threads)
  }

  /// Bytes of the scratch at hand.
  package var scratchByteCount: Int {
    workerScratch.byteCount + sharedScratch.byteCount
      + (optimizerScratch.map { $0.count * MemoryLayout<Float>.stride } ?? 0)
  }

  /// Makes room for attention over `sequenceLength` positions and `sharedCount` floats of shared scratch.
  ///
  /// - Throws: `MemoryError` when that exceeds the memory at hand.
  public func reserve(sequenceLength: Int, sharedCount: Int) throws(MemoryError) {
    let needed = kernels.workerScratchCount(sequenceLength: sequenceLength)
    if needed > workerScratchStride {
      // Whole huge pages, so that no two workers share one and each is spared misses of the TLB. A part lies on the node
      // of whoever touches it first: the one that has the worker's slot.
      let page = Buffer.hugePageBytes / MemoryLayout<Float>.stride
      let stride = (needed + page - 1) / page * page
      workerScratch = try Arena([.init(name: "worker scratch", shape: [threads, stride])], placement: .local)
      workerScratchStride = stride
    }
    if sharedCount > sharedScratch.all.count {
      sharedScratch = try Arena([.init(name: "shared scratch", shape: [sharedCount])])
    }
  }

  /// Makes room for `optimizerCount` floats of scratch for each worker's part of an update.
  ///
  /// - Throws: `MemoryError` when that exceeds the memory at hand.
  package func reserve(optimizerCount count: Int) throws(MemoryError) {
    guard threads * count > optimizerScratch?.count ?? 0 else { return }
    optimizerScratch = try Arena(
      [.init(name: "the optimizer's scratch", shape: [threads, count])], placement: .local
    ).all
  }

  /// The scratch of one worker for its part of an update; kernels that it calls use `scratch`.
  ///
  /// - Precondition: `reserve` made room for it.
  package func optimizerScratch(_ worker: Int) -> Tensor {
    guard let optimizerScratch else { preconditionFailure("the optimizer's scratch is reserved") }
    let count = optimizerScratch.count / threads
    return optimizerScratch.slice(worker * count..<(worker + 1) * count)
  }

  /// The scratch that belongs to one worker while a parallel region runs.
  package func scratch(_ worker: Int) -> Tensor {
    workerScratch.all.slice(worker * workerScratchStride..<(worker + 1) * workerScratchStride)
  }

  /// Scratch that all workers see; its contents last until the next operator.
  ///
  /// - Precondition: `reserve` made room for it.
  package func shared(_ range: Range<Int>) -> Tensor { sharedScratch.all.slice(range) }

  /// Runs a program of many operators with the threads awake from the first to the last.
  ///
  /// The program may run on another thread than the caller's, which waits for it.
  package func together(_ program: () -> Void) {
    if team != nil { return program() }
    parallel.together(recorder: recorder) { team in
      self.team = team
      program()
      self.team = nil
    }
  }

  /// As `together`, and what operators computed is there when this returns, or `wait` does, but need not be when they
  /// return: while some threads run a region, the program says what the next one is.
  ///
  /// Operators see the results of those before them. The program itself looks at no tensor that they write without
  /// `wait`, and what they are given lives until then.
  package func ahead(_ program: () -> Void) {
    together {
      let isInside = isAhead
      isAhead = true
      program()
      isAhead = isInside
      wait()
    }
  }

  /// Waits for everything that was performed.
  package func wait() { parallel.wait(team) }

  /// Runs every task of every piece of work in one parallel region, in no particular order.
  ///
  /// - Parameters:
  ///   - queue: where this work is bound by arithmetic, tasks of the queue, bound by memory, are strewn among its own.
  ///   - operand: which of several such regions, for people who look at a step.
  package func perform(
    _ works: Work..., beside queue: WorkQueue? = nil, operand: String = "", file: StaticString = #fileID,
    function: StaticString = #function
  ) {
    let name = RegionName(file: file, function: function, operand: operand)
    inPass { team in
      if isAhead {
        parallel.start(works, beside: queue, team: team, name: name)
      } else {
        parallel.forEach(works, beside: queue, team: team, name: name)
      }
    }
  }

  /// What no program runs is written down as a pass of its own.
  private func inPass(_ region: (Team?) -> Void) {
    if team == nil, recorder != nil { parallel.together(recorder: recorder, region) } else { region(team) }
  }

  /// Says what the passes that follow are, where somebody writes it down.
  package func passes(_ name: @autoclosure () -> String) { recorder?.begin(passes: name()) }

  /// Says what the regions that follow are for, where somebody writes it down.
  package func section(_ name: @autoclosure () -> String) { recorder?.begin(section: name()) }

  /// A queue of work that waits beside what this context performs.
  package func makeQueue() -> WorkQueue { WorkQueue(homes: parallel.homes) }

  /// Runs the tasks of a queue that come before `end`, by default all.
  package func finish(
    _ queue: WorkQueue, before end: WorkQueue.Position? = nil, file: StaticString = #fileID,
    function: StaticString = #function
  ) {
    let (end, name) = (end ?? queue.end, RegionName(file: file, function: function))
    inPass { team in
      if isAhead {
        parallel.start(queue, before: end, team: team, name: name)
      } else {
        parallel.finish(queue, before: end, team: team, name: name)
      }
    }
  }
}

extension ExecutionContext {
  /// A thread that comes late or is interrupted holds the others up for one of its tasks at most.
  static let tasksPerThread = 4

  /// A block size that gives every thread several tasks of 0..<total, none smaller than `least`: one that comes late
  /// or is interrupted leaves the rest to the others.
  package func blockSize(_ total: Int, least: Int, multipleOf unit: Int = 1) -> Int {
    Self.blockSize(total, least: least, multipleOf: unit, threads: threads)
  }

  package static func blockSize(_ total: Int, least: Int, multipleOf unit: Int, threads: Int) -> Int {
    let tasks = threads == 1 ? 1 : threads * tasksPerThread
    let size = max(least, (total + tasks - 1) / tasks)
    return (size + unit - 1) / unit * unit
  }
}
