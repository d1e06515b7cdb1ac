import Foundation
import GPT2
import Machine
import Operators
import Terminal

/// One run of the program: what was asked for, where operators run, and the limits measured so far.
final class Session {
  let settings: Settings
  let context: ExecutionContext
  let peak: Peak
  /// What the suite tokenize encodes.
  let text: EncodedText?
  private var sharedModel: Model?
  private let start = ProcessorTime.now

  /// Of everything so far.
  var disturbance: Disturbance { Disturbance(since: start, peak: peak) }

  var configuration: Configuration { settings.configuration }
  /// M of every matrix product: B·T.
  var rows: Int { settings.batchSize * settings.sequenceLength }

  /// - Throws: for files that the suites cannot read and memory that they cannot have, before anything is measured.
  init(_ settings: Settings) throws {
    self.settings = settings
    text = try settings.encodedText.map { try EncodedText(path: $0.path, tokenizer: $0.tokenizer) }
    context = try ExecutionContext(
      threads: settings.threads, instructionSet: settings.instructionSet)
    if let notice = context.parallel.slots.notice { Console.printWarning(notice) }
    peak = try Peak(context: context, precision: settings.precision, quick: settings.quick)
    do {
      for suite in settings.suites { try checkMemory(of: suite) }
    } catch {
      throw SessionError(
        description: advising(error, "a smaller --batch-size, --sequence-length or model takes less"))
    }
  }

  /// Maps what a suite needs, which costs next to nothing as nobody touches it, and gives it back.
  private func checkMemory(of suite: SuiteName) throws {
    switch suite {
    case .gemm: _ = try gemmArena()
    case .operators: _ = try OperatorTensors.arena(self)
    // The suite model has one at a time.
    case .step, .evaluate, .decode, .memory, .model: _ = try emptyModel()
    case .scaling: _ = try scalingModels()
    case .peak, .tokenize: break
    }
  }

  /// Measures the peak, calls `begun`, then runs the suites and hands over each section as it is done.
  func run(begun: () -> Void, finished: (Section) -> Void) throws {
    // Long enough for the kernel's ticks to tell what others took.
    let first = ContinuousClock.now
    repeat { try peak.sample() } while ContinuousClock.now - first < .seconds(0.5)
    begun()
    for suite in settings.suites {
      Console.showProgress("\(suite.rawValue) …")
      let before = ProcessorTime.now
      for var section in try sections(suite) {
        section.disturbance = Disturbance(since: before, peak: peak)
        finished(section)
      }
      // Where the suites left no room for the read buffer, the earlier reads have to do.
      do { try peak.sample() } catch { peak.sampleArithmetic() }
    }
    Console.clearProgress()
  }

  private func sections(_ suite: SuiteName) throws -> [Section] {
    switch suite {
    case .peak: [try peakSection(), regionsSection()].compactMap(\.self)
    case .gemm: [try gemmSection()]
    case .operators: [try operatorsSection()]
    case .step: [try stepSection()]
    case .evaluate: [try evaluateSection()]
    case .decode: [try decodeSection()]
    case .memory: [try memorySection()]
    case .scaling: [try scalingSection()]
    case .model: try modelSections()
    case .tokenize: [text.map { tokenizeSection($0) }].compactMap(\.self)
    }
  }

  /// The model of the step and memory suites, with random parameters.
  func model() throws -> Model {
    if let sharedModel { return sharedModel }
    Console.showProgress("initialising \(settings.modelName) …")
    let model = try emptyModel()
    model.initialize()
    sharedModel = model
    return model
  }

  /// - Parameter context: where it runs, by default where all of this run does.
  func emptyModel(on context: ExecutionContext? = nil) throws -> Model {
    // A batch that cannot fit is refused before its tokens are drawn, which take less than its logits.
    _ = try Arena(
      [.init(name: "logits", shape: [rows, configuration.paddedVocabularySize])],
      what: "the tensor of the logits")
    let model = try Model(
      configuration: configuration, precision: settings.precision, placement: settings.placement,
      context: context ?? self.context)
    model.recomputation = settings.recomputation
    try model.reserve(
      batchSize: settings.batchSize, sequenceLength: settings.sequenceLength, sampleLength: 0)
    return model
  }

  /// B·T tokens of the vocabulary, in no order.
  func tokens(seed: UInt64) -> [Int32] {
    var generator = Generator(seed: seed)
    return (0..<rows).map { _ in Int32(generator.next() % UInt64(configuration.vocabularySize)) }
  }

  /// Fills a tensor with numbers in −scale..<scale, on all threads.
  func randomize(_ tensor: Tensor, scale: Float = 1) {
    let size = 1 << 16
    context.parallel.forEach((tensor.count + size - 1) / size) { block, _ in
      var generator = Generator(seed: UInt64(block) + 1)
      tensor.slice(block * size..<min(tensor.count, (block + 1) * size)).withMutableSpan { values in
        for index in values.indices { values[index] = generator.nextFloat() * scale }
      }
    }
  }

  // MARK: - Timing

  /// Times every job once a round, in turns, with a sample of the peak in each round; the threads are awake, as in a step.
  ///
  /// The first, untimed round warms up: pages are touched, clocks rise.
  func rotate(_ label: String, _ jobs: [() -> Void]) -> [Timing] { rotateSummed(label, jobs).each }

  /// The same, and the time of a whole round.
  func rotateSummed(_ label: String, _ jobs: [() -> Void]) -> (each: [Timing], sum: Timing) {
    var samples: [[Double]] = []
    context.together { samples = rounds(label, jobs) }
    let sums = samples[0].indices.map { round in samples.reduce(0) { $0 + $1[round] } }
    return (samples.map { Timing($0) }, Timing(sums))
  }

  /// The samples of each job.
  private func rounds(_ label: String, _ jobs: [() -> Void]) -> [[Double]] {
    let (least, most, seconds) = settings.quick ? (3, 10, 1.0) : (5, 50, 10.0)
    for job in jobs { job() }
    var samples = jobs.map { _ in [Double]() }
    let start = ContinuousClock.now
    for round in 1...most {
      Console.showProgress("\(label): round \(round)")
      peak.sampleArithmetic()
      for (index, job) in jobs.enumerated() { samples[index].append(milliseconds(of: job)) }
      if round >= least, ContinuousClock.now - start > .seconds(seconds) { break }
    }
    return samples
  }
}

/// Why nothing is measured: one sentence.
private struct SessionError: Error, CustomStringConvertible { let description: String }

func milliseconds(of job: () throws -> Void) rethrows -> Double {
  try ContinuousClock().measure(job) / .milliseconds(1)
}

/// The least, the middle and the most of several times, in milliseconds.
struct Timing {
  let least, median, most: Double

  /// - Precondition: at least one sample.
  init(_ samples: [Double]) {
    let sorted = samples.sorted()
    (least, most) = (sorted[0], sorted[sorted.count - 1])
    let middle = sorted.count / 2
    median = sorted.count.isMultiple(of: 2) ? (sorted[middle - 1] + sorted[middle]) / 2 : sorted[middle]
  }
}

/// Numbers to compute with, whose values do not matter (Marsaglia 2003, doi:10.18637/jss.v008.i14).
struct Generator {
  private var state: UInt64

  init(seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 | 1 }

  mutating func next() -> UInt64 {
    state ^= state << 13
    state ^= state >> 7
    state ^= state << 17
    return state
  }

  /// In −1..<1.
  mutating func nextFloat() -> Float { Float(next() >> 40) / 0x1p23 - 1 }
}
