import ArgumentParser
import Foundation
import GPT2
import Machine
import Operators
import Terminal

@main
struct BenchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "gpt2-bench",
    abstract:
      "Measures what this machine gives and how much of it GPT-2's operators and training steps take.",
    discussion: """
      Suites:
        peak       multiply-adds of fp32, dot products of bf16 (AMX, too) and int8, memory reads; on all threads and one
        gemm       the model's five matrix products in each pass
        operators  everything else that a step is made of, forward and backward
        step       whole training steps: forward, backward, update
        evaluate   forward pass and loss, nothing kept
        decode     tokens one after another with a key–value cache, after a prompt of T tokens; in bf16 beside fp32
        memory     bytes of every tensor, the time to read it, and the NUMA nodes that hold its pages
        scaling    steps on 1, 2, 4, … threads, and where the rest of their time goes; on demand only
        model      what a step would take on servers of 16 to 128 cores, from its tasks' times on one, and each
                   operator of a step here beside what the same model says of it; on demand only
        tokenize   --text encoded with --tokenizer, and decoded; on demand only

      Rows are warmed up, then timed in rounds that visit every row of a suite once, so that a machine that drifts \
      drifts for all of them. Rates come from the median. Fractions are of the peak that the same run measures, \
      with the same kernels and threads: the median of samples taken before and after every suite and, for \
      arithmetic, in every round and between steps; a table, printed as soon as its suite is done, of those until \
      then, --json of all. An operator's rate is that of the resource that bounds it: arithmetic or memory. What \
      exceeds the peak by more than 5 % is marked instead of given a fraction: data that fits the caches is faster \
      than memory, some machines write while they read, and others may have had the machine. That they had, more \
      than a tenth of the processors' time, is said before the tables, above those it concerns, and in --json.

      GPT2_ISA names the instruction set where --isa does not. Exit codes: 0 success, 1 failed, 64 usage.
      """,
    version: ProgramVersion.current)

  @Option(
    help: ArgumentHelp(
      "Suites to run, with commas between: \(SuiteName.list). (default: those that are not on demand)",
      valueName: "names"
    ))
  var suite: String?

  @Option(
    help: ArgumentHelp(
      "A published size: \(Configuration.presetNames.joined(separator: ", ")). (default: gpt2-124M)",
      valueName: "name"))
  var model: String?

  @OptionGroup var sizes: SizeOptions

  @Option(parsing: .unconditional, help: wholeNumber("B: sequences of a batch."))
  var batchSize = 4

  @Option(
    parsing: .unconditional, help: wholeNumber("T: tokens of a sequence, at most the model's context."))
  var sequenceLength = 64

  @Option(
    parsing: .unconditional,
    help: wholeNumber(
      "Training steps and evaluations to time, and in the suite model steps to simulate. (default: 10, quick: 3)"
    ))
  var steps: Int?

  @Option(
    help:
      "What training steps compute again to save memory: none, elementwise or blocks. (default: as gpt2 train)"
  )
  var recompute: Recomputation?

  @Option(
    parsing: .unconditional,
    help: number(
      """
      The largest norm of all gradients together in training steps, which are scaled down to it where it is \
      exceeded; 0: never. (default: 0)
      """))
  var gradientClip: Double?

  @Option(
    help: """
      What matrix products multiply: fp32, or bf16 or bf16-amx with sums in fp32, whose fractions are of the peak of \
      their own products. (default: fp32)
      """)
  var precision: OperandPrecision = .fp32

  @OptionGroup var execution: ExecutionOptions
  private var kernels: KernelOptions { execution.kernels }

  @Option(help: ArgumentHelp("The text file of the suite tokenize.", valueName: "file"))
  var text: String?

  @Option(
    help: ArgumentHelp(
      "Its vocabulary: gpt2_tokenizer.bin, or a vocab.json with merges.txt beside it.", valueName: "file"))
  var tokenizer: String?

  @Option(
    help: ArgumentHelp("Write the results there, too; a file that exists is refused.", valueName: "file"))
  var json: String?

  @Option(
    help: ArgumentHelp(
      """
      Write a page for a browser there: roofline, one more step as its threads ran it, placement and scaling of the \
      suites that ran, all tables; a file that exists is refused.
      """, valueName: "file"))
  var html: String?

  @Flag(help: "Replace the files that --json and --html name.")
  var overwrite = false

  @Flag(
    help: """
      A small model unless you name one, smaller with portable kernels, and few rounds: the whole run takes some seconds.
      """)
  var quick = false

  func validate() throws {
    _ = try settings()
    for (option, path) in [("--json", json), ("--html", html)] where path == "" {
      throw ValidationError("\(option) should name a file, but is empty.")
    }
    if let json, json == html {
      throw ValidationError("--json and --html should name two files, but both name \(json.shown).")
    }
  }

  static func main() { runProgram() }

  func run() throws {
    let settings = try settings()
    // A place that cannot be written is better known before the measuring than after it.
    for path in [json, html].compactMap(\.self) {
      try namingOverwrite { _ = try AtomicFile(path: path, overwrite: overwrite) }
    }
    let session = try Session(settings)
    var report = Report(session: session)
    try session.run(begun: { report.begin() }, finished: { report.add($0) })
    report.end()
    if let json { try write(Array((report.json.encoded + "\n").utf8), to: json) }
    if let html {
      let step = settings.suites.contains(.step) ? try session.recordedStep() : nil
      try write(BenchPage(report: report, step: step).bytes, to: html)
    }
  }

  private func write(_ bytes: [UInt8], to path: String) throws {
    var file = try AtomicFile(path: path, overwrite: overwrite)
    try file.write(bytes)
    try file.commit()
  }
}

// MARK: - What was asked for

enum SuiteName: String, CaseIterable {
  case peak, gemm, operators, step, evaluate, decode, memory, scaling, model, tokenize

  static var list: String { allCases.map(\.rawValue).joined(separator: ",") }
  /// Those that run without being named.
  static let unnamed: [SuiteName] = [.peak, .gemm, .operators, .step, .evaluate, .decode, .memory]
}

/// The options, checked.
struct Settings {
  let suites: [SuiteName]
  let modelName: String
  let configuration: Configuration
  let batchSize: Int
  let sequenceLength: Int
  let steps: Int
  let recomputation: Recomputation
  let gradientClip: Double
  let precision: OperandPrecision
  let threads: Int
  let instructionSet: InstructionSet
  let placement: Placement
  let quick: Bool
  /// The files of the suite tokenize; nil without it.
  let encodedText: (path: String, tokenizer: String)?
}

extension BenchCommand {
  private func settings() throws -> Settings {
    let (name, configuration) = try modelChoice()
    try checkBatch(configuration)
    let suites = try suiteChoice()
    let encodedText = text.flatMap { text in tokenizer.map { (path: text, tokenizer: $0) } }
    guard suites.contains(.tokenize) == (encodedText != nil), (text == nil) == (tokenizer == nil) else {
      throw ValidationError(
        suites.contains(.tokenize)
          ? "--suite tokenize needs --text FILE and --tokenizer FILE."
          : "--text and --tokenizer are for --suite tokenize, which is not among the suites: add it.")
    }
    return Settings(
      suites: suites, modelName: name, configuration: configuration, batchSize: batchSize,
      sequenceLength: sequenceLength, steps: steps ?? (quick ? 3 : 10),
      recomputation: recompute
        ?? .automatic(configuration, batchSize: batchSize, sequenceLength: sequenceLength),
      gradientClip: gradientClip ?? 0, precision: precision, threads: try threadChoice(),
      instructionSet: try kernels.instructionSet(), placement: try execution.placement(), quick: quick,
      encodedText: encodedText)
  }

  private func checkBatch(_ configuration: Configuration) throws(ValidationError) {
    for (option, value) in [
      ("--batch-size", batchSize), ("--sequence-length", sequenceLength), ("--steps", steps ?? 1),
    ] {
      guard value >= 1 else { throw ValidationError("\(option) should be at least 1, but is \(value).") }
    }
    if let gradientClip {
      guard gradientClip >= 0, Float(gradientClip).isFinite else {
        throw ValidationError(
          "--gradient-clip should be a number from 0 up that float32 holds, but is \(gradientClip).")
      }
    }
    guard sequenceLength <= configuration.maximumSequenceLength else {
      throw ValidationError(
        "--sequence-length should be at most the model's context of \(configuration.maximumSequenceLength), "
          + "but is \(sequenceLength).")
    }
    // Everything that is counted below is a small multiple of this product.
    let widest = max(configuration.paddedVocabularySize, 4 * configuration.channels)
    let (rows, overflow) = batchSize.multipliedReportingOverflow(by: sequenceLength)
    guard !overflow, rows <= Int.max >> 10 / widest else {
      throw ValidationError(
        "--batch-size \(batchSize) × --sequence-length \(sequenceLength) is too large to count.")
    }
  }

  /// More threads than processors never come: the report would be of fewer than it says.
  private func threadChoice() throws(ValidationError) -> Int {
    let most = max(1, Topology.current.affinity.count)
    let threads = kernels.threads.count
    guard threads <= most else {
      throw ValidationError("--threads should be in 1...\(most), the processors at hand, but is \(threads)")
    }
    return threads
  }

  /// In the order that the program runs them, whatever the order asked for.
  private func suiteChoice() throws(ValidationError) -> [SuiteName] {
    guard let suite else { return SuiteName.unnamed }
    var chosen: Set<SuiteName> = []
    for name in suite.split(separator: ",", omittingEmptySubsequences: false) {
      guard let suite = SuiteName(rawValue: String(name)) else {
        throw ValidationError("--suite should name some of \(SuiteName.list), but has '\(name)'.")
      }
      if precision != .fp32, suite == .tokenize {
        throw ValidationError(
          "--precision \(precision.rawValue) is for suites that multiply matrices, but --suite names \(suite.rawValue): "
            + "measure it without --precision.")
      }
      chosen.insert(suite)
    }
    return SuiteName.allCases.filter { chosen.contains($0) }
  }

  private func modelChoice() throws -> (String, Configuration) {
    try checkOneModel([model.map { _ in "--model" }, sizes.firstGiven], expected: "--model or sizes")
    if let own = try sizes.configuration() {
      return ("L\(own.layers)-NH\(own.heads)-C\(own.channels)-V\(own.vocabularySize)", own)
    }
    do {
      if quick && model == nil {
        // Small enough for seconds, large enough that the products are not all overhead. Portable kernels call a
        // function for a multiply-add where the processor that they are built for has none: a hundred times slower.
        if try kernels.instructionSet() == .portable {
          return (
            "quick-portable",
            try Configuration(
              maximumSequenceLength: 1024, vocabularySize: 500, layers: 2, heads: 2, channels: 64)
          )
        }
        return (
          "quick",
          try Configuration(
            maximumSequenceLength: 1024, vocabularySize: 5000, layers: 4, heads: 6, channels: 384)
        )
      }
      let name = model ?? "gpt2-124M"
      return (name, try Configuration.preset(named: name))
    } catch { throw ValidationError("\(error)") }
  }
}
