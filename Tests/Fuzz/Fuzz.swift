import ArgumentParser
import Foundation

/// Feeds mutated inputs to one parser. A crash ends the process; `scripts/fuzz` then tells seed and input.
@main
struct Fuzz: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Feeds mutated inputs to a parser, or lists the parsers where none is named.")

  private static let parsers = formatParsers + huggingFaceParsers + tokenizerParsers + runParsers

  @Argument(help: "The parser.") var parser: String?
  @Option(help: "How many inputs.") var inputs = 1_000_000
  @Option(help: "The same seed makes the same inputs.") var seed: UInt64 = 1
  @Option(help: "Parse this one file instead.") var replay: String?

  static let corpora = URL(filePath: #filePath, directoryHint: .notDirectory)
    .deletingLastPathComponent().appending(path: "Corpus")

  /// No input is larger than 16 KiB: seconds mean a loop that should not be there.
  private static let slow = Duration.seconds(5)

  func run() throws {
    guard let name = self.parser else {
      for parser in Self.parsers { print(parser.name) }
      return
    }
    guard let parser = Self.parsers.first(where: { $0.name == name }) else {
      throw ValidationError(
        "expected a parser of \(Self.parsers.map(\.name).joined(separator: ", ")), found \(name)")
    }
    if let replay {
      try parser.parse([UInt8](Data(contentsOf: URL(filePath: replay))))
      return print("\(replay): accepted")
    }
    let mutator = Mutator(corpus: try corpus(parser), seed: seed)
    let current = ScratchFile("input")
    var accepted = 0
    var last = ContinuousClock.now
    let start = last
    for index in 0..<inputs {
      let input = mutator.input(index)
      // First, so that a crash leaves it behind.
      current.write(input)
      if (try? parser.parse(input)) != nil { accepted += 1 }
      let now = ContinuousClock.now
      if now - last > Self.slow { fatalError("input \(index) took \(now - last)") }
      last = now
    }
    try feedGiants(to: parser, mutator.corpus)
    let seconds = (last - start) / .seconds(1)
    print(
      "\(name): \(inputs) inputs, \(accepted) accepted, \(inputs - accepted) refused, seed \(seed),"
        + " \(Int(seconds.rounded())) s")
  }

  /// Each input of the corpus again, as the beginning of 60 GB: what is read whole must be refused.
  private func feedGiants(to parser: FuzzParser, _ corpus: [[UInt8]]) throws {
    if parser.isStreaming { return }
    ScratchFile.areGiant.store(true, ordering: .relaxed)
    for (index, input) in corpus.enumerated() {
      let start = ContinuousClock.now
      _ = try? parser.parse(input)
      let time = ContinuousClock.now - start
      if time > Self.slow { fatalError("input \(index) of the corpus, lengthened to 60 GB, took \(time)") }
    }
  }

  /// The inputs in the parser's folder, which it must take without a crash, in the order of their names.
  private func corpus(_ parser: FuzzParser) throws -> [[UInt8]] {
    let files = try FileManager.default.contentsOfDirectory(
      at: Self.corpora.appending(path: parser.corpus), includingPropertiesForKeys: nil)
    let inputs = try files.sorted { $0.path < $1.path }.map { [UInt8](try Data(contentsOf: $0)) }
    guard !inputs.isEmpty else { throw ValidationError("expected inputs in \(parser.corpus), found none") }
    return inputs
  }
}
