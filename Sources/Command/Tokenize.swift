import ArgumentParser
import GPT2
import Machine
import Terminal
import Tokens

/// `gpt2 tokenize`: text into the token files that `gpt2 train` reads.
struct Tokenize: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Turns text into token files to train on.",
    discussion: """
      Reads text files, JSON lines (names that end in .jsonl: an object a line, whose member "text" is a document) and \
      folders, in which it takes the .txt and .jsonl files, subfolders included, in the order of their names; what cannot \
      be read there is named and passed over. Memory stays the same however large they are.

      Writes NAME_train.bin and NAME_val.bin, numbered from NAME_train_000000.bin on where one file does not hold all \
      (llm.c's uint16 where all ids fit, else its uint32), NAME_manifest.json, which tells 'gpt2 train' the \
      vocabulary, and with the vocabulary gpt2 NAME_tokenizer.bin. Existing files are refused.

      Each document, which is a text file or a line of JSON, is opened by the end-of-text token; empty ones are left \
      out. The vocabulary characters has no such token: there a document ends with a line feed, which is added where \
      it has none. Validation gets the beginning, or with --val-from end the end, training the rest. Bytes that are not UTF-8 are encoded as they are, \
      so that decoding gives them back, and are counted; the vocabulary characters and JSON refuse them. A byte order mark \
      at the beginning of a file is left out, and said. Special tokens, such as those that were added to a vocabulary, are \
      not looked for in text.

      llm.c's tiny Shakespeare: gpt2 tokenize tiny_shakespeare.txt --split-at blank-lines --val-tokens 32768 \
      --output-directory data --name tiny_shakespeare
      """)

  @Argument(help: ArgumentHelp("Text files, JSON lines, folders.", valueName: "file"))
  var files: [String]

  @Option(
    parsing: .unconditional, help: ArgumentHelp("Where to write; made if it is not there.", valueName: "dir"))
  var outputDirectory: String

  @Option(parsing: .unconditional, help: "What the names of the files begin with.")
  var name: String

  @Option(
    parsing: .unconditional,
    help: """
      gpt2: byte pairs, 50257 tokens; bytes: each byte, 257 with the end of text; characters: those of the text, which \
      is then read twice.
      """)
  var vocabulary = DataManifest.Kind.gpt2

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      """
      For the vocabulary gpt2: gpt2_tokenizer.bin, or a vocab.json with merges.txt beside it. (default: \
      \(Self.tokenizerNames.joined(separator: " or ")) in the working directory)
      """, valueName: "file"))
  var tokenizer: String?

  @Option(
    parsing: .unconditional,
    help: """
      blank-lines: text files are several documents, each of which ends after two line feeds; none: they are one each.
      """)
  var splitAt = Split.none

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "How much of the text, in bytes, is for validation. (default: 0.1)", valueName: "fraction"))
  var valFraction: Double?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("How many tokens are for validation, instead of a fraction.", valueName: "n"))
  var valTokens: Int?

  @Option(
    parsing: .unconditional,
    help: """
      Where the text for validation is; end cuts the text there, between two characters or lines of JSON, as nanoGPT does, \
      and with --val-tokens holds so many tokens in memory.
      """)
  var valFrom = ValidationPlace.start

  @Option(parsing: .unconditional, help: ArgumentHelp("The most tokens in one file.", valueName: "n"))
  var shardTokens = 100_000_000

  @OptionGroup var threads: ThreadOptions

  enum Split: String, ExpressibleByArgument, CaseIterable {
    case none
    case blankLines = "blank-lines"
  }

  private static let tokenizerNames = TokenizerChoice.names
  /// What the header of a token file can count.
  private static let mostShardTokens = Int(Int32.max)

  func validate() throws {
    if name.isEmpty || name.hasPrefix(".") || name.contains("/") {
      throw ValidationError("--name should be the beginning of a file's name, but is '\(name)'")
    }
    if valFraction != nil, valTokens != nil {
      throw ValidationError("expected --val-fraction or --val-tokens, found both")
    }
    if let valFraction, !(valFraction >= 0 && valFraction < 1) {
      throw ValidationError("--val-fraction should be at least 0 and below 1, but is \(valFraction)")
    }
    if let valTokens, valTokens < 0 {
      throw ValidationError("--val-tokens should be at least 0, but is \(valTokens)")
    }
    guard (1...Self.mostShardTokens).contains(shardTokens) else {
      throw ValidationError("--shard-tokens should be in 1...\(Self.mostShardTokens), but is \(shardTokens)")
    }
    if tokenizer != nil, vocabulary != .gpt2 {
      throw ValidationError("--tokenizer goes with --vocabulary gpt2, found \(vocabulary.rawValue)")
    }
  }

  func run() throws {
    let start = ContinuousClock.now
    let tokenization = Tokenization(
      sources: try TextSource.find(files, passedOver: Console.warnPassedOver),
      splitsAtBlankLines: splitAt == .blankLines,
      parallel: Parallel(threads: threads.count))
    let progress = ByteProgress(total: tokenization.byteCount)
    defer { Console.clearProgress() }
    let encoder = try encoder(tokenization, progress)
    let folder = try NewDirectory(path: outputDirectory, withParents: true)
    let share = valTokens.map { ValidationShare.tokens($0) } ?? .fraction(valFraction ?? 0.1)
    let (manifest, counts) = try tokenization.write(
      .init(
        directory: outputDirectory, name: name, validation: share, at: valFrom, shardTokens: shardTokens),
      kind: vocabulary, encoder: encoder
    ) { progress.show("tokenized", done: $0.bytes) }
    folder.keep()
    Console.clearProgress()
    printSummary(
      manifest, counts, marks: tokenization.sources.count(where: \.hasMark),
      seconds: (.now - start) / .seconds(1))
  }

  private func encoder(_ tokenization: Tokenization, _ progress: ByteProgress) throws -> TextEncoder {
    switch vocabulary {
    case .bytes: return try TextEncoder(.bytes)
    case .characters:
      return try TextEncoder(try tokenization.characters { progress.show("looked through", done: $0.bytes) })
    case .gpt2:
      let found = Self.tokenizerNames.first { FileStatus.kind(at: $0) == .regular }
      guard let path = tokenizer ?? found else {
        throw TokenizeError(
          description: """
            expected a tokenizer, found no \(Self.tokenizerNames.joined(separator: " or ")) here: give --tokenizer FILE, \
            or --vocabulary bytes or characters, which need none.
            """)
      }
      return try TextEncoder(try Tokenizer(path: path), path: path)
    }
  }

  private func printSummary(
    _ manifest: DataManifest, _ counts: Tokenization.Counts, marks: Int, seconds: Double
  ) {
    let rate = NumberText.bytes(Int(Double(counts.bytes) / max(seconds, 1e-9)))
    func line(_ part: DataManifest.Part) -> String {
      guard let first = part.files.first, let last = part.files.last else { return "none" }
      let files = part.files.count > 1 ? "\(first) to \(last)" : first
      return "\(NumberText.count(part.tokens, "token")) in \(files)"
    }
    var lines = [
      (
        "text",
        "\(NumberText.count(counts.documents, "document")), \(NumberText.bytes(counts.bytes)) (\(counts.bytes) bytes)"
      ),
      ("vocabulary", "\(manifest.kind.rawValue), \(NumberText.count(manifest.vocabularySize, "token"))"),
      ("training", line(manifest.training)), ("validation", line(manifest.validation)),
      ("manifest", manifest.path), ("time", "\(NumberText.fixed(seconds, 1)) s, \(rate)/s"),
    ]
    if counts.invalidBytes > 0 {
      lines.insert(
        ("not UTF-8", "\(NumberText.count(counts.invalidBytes, "byte")), encoded as they are"), at: 1)
    }
    if marks > 0 {
      lines.insert(
        ("left out", "the byte order mark at the beginning of \(NumberText.count(marks, "file"))"), at: 1)
    }
    Console.printFields(lines)
  }
}

extension DataManifest.Kind: ExpressibleByArgument {}
extension ValidationPlace: ExpressibleByArgument {}

private struct TokenizeError: Error, CustomStringConvertible { let description: String }

/// How much of so many bytes is done, on a terminal.
private final class ByteProgress {
  private let total: Int
  private var start = ContinuousClock.now
  private var shown: ContinuousClock.Instant?
  private var doneBefore = 0

  init(total: Int) { self.total = total }

  func show(_ verb: String, done: Int) {
    // A second pass begins anew.
    if done < doneBefore { start = .now }
    doneBefore = done
    guard shown.map({ .now - $0 > .milliseconds(100) }) ?? true else { return }
    shown = .now
    let seconds = max((.now - start) / .seconds(1), 1e-9)
    let rate = Double(done) / seconds
    let part = Double(done) / Double(max(total, 1))
    let bar = String(repeating: "#", count: min(20, Int(20 * part))).padded(to: 20)
    Console.showProgress(
      "[\(bar)] \(NumberText.bytes(done)) of \(NumberText.bytes(total)) \(verb), "
        + "\(NumberText.bytes(Int(rate)))/s, \(NumberText.duration(seconds: Double(total - done) / rate)) left"
    )
  }
}
