import Machine

/// Text files into token files: what `gpt2 tokenize` does.
///
/// The files are read once (twice where the vocabulary is made of their characters), in segments that all threads
/// encode at the same time; memory does not depend on their size. Every document is opened by the end of text; with
/// a vocabulary of characters, whose end of text is the line feed, every document is closed by one instead, where
/// the text has none there. Empty documents leave nothing.
public struct Tokenization {
  /// The files to be made.
  public struct Output: Sendable {
    /// The folder, which is there.
    public var directory: String
    public var name: String
    public var validation: ValidationShare
    public var validationPlace: ValidationPlace
    /// The most tokens of one file.
    public var shardTokens: Int

    public init(
      directory: String, name: String, validation: ValidationShare,
      at validationPlace: ValidationPlace = .start,
      shardTokens: Int = 100_000_000
    ) {
      self.directory = directory
      self.name = name
      self.validation = validation
      self.validationPlace = validationPlace
      self.shardTokens = shardTokens
    }

    /// What the paths of all files begin with.
    var folder: String { directory.hasSuffix("/") ? directory : directory + "/" }
    var tokenizerFile: String { "\(name)_tokenizer.bin" }
  }

  /// What was done so far, or in all.
  public struct Counts: Sendable {
    public var bytes = 0
    public var documents = 0
    public var tokens = 0
    /// Bytes that are no UTF-8.
    public var invalidBytes = 0
  }

  public let sources: [TextSource]
  /// Whether a text file has a document a blank line: each ends after two line feeds.
  public let splitsAtBlankLines: Bool
  private let parallel: Parallel

  /// Bytes, and segments, that are in memory at once, per thread: several full ones, or many small files.
  private static let bytesPerThread = 1 << 20
  private static let segmentsPerThread = 64

  public init(sources: [TextSource], splitsAtBlankLines: Bool, parallel: Parallel) {
    self.sources = sources
    self.splitsAtBlankLines = splitsAtBlankLines
    self.parallel = parallel
  }

  /// The bytes of all sources.
  public var byteCount: Int { sources.reduce(0) { $0 + $1.byteCount } }

  // MARK: - Passes

  /// The vocabulary of all characters of the sources.
  ///
  /// - Throws: `FormatError`: a file that cannot be read, is not UTF-8 or has a line that is not as it should be.
  public func characters(progress: (Counts) -> Void = { _ in }) throws(FormatError) -> Tokenizer {
    let found = (0..<parallel.threads).map { _ in ScalarSet() }
    _ = try forEachSegment(progress) { segment, worker in
      segment.forEachPart(splitsAtBlankLines: splitsAtBlankLines) { (text, _, _) throws(TextError) in
        try found[worker].insert(text)
      }
    } then: { (_, _) throws(FormatError) in
    }
    return .characters(found.flatMap(\.scalars))
  }

  /// Encodes the sources and writes token files, the tokenizer (of GPT-2's kind) and, last, the manifest.
  ///
  /// - Throws: `FormatError`: as above, a file of the output that exists or cannot be written, or no tokens to train
  ///   on. No file of the output is there then.
  public func write(
    _ output: Output, kind: DataManifest.Kind, encoder: TextEncoder, progress: (Counts) -> Void = { _ in }
  ) throws(FormatError) -> (DataManifest, Counts) {
    let encoders = (0..<parallel.threads).map { _ in encoder.copy() }
    // First: what the file cannot hold is told before hours of encoding.
    let vocabulary =
      kind == .gpt2 ? try encoder.tokenizer.llmBytes(path: output.folder + output.tokenizerFile) : nil
    let writer = try writing { () throws(FileError) in
      try TokenWriter(
        directory: output.directory, name: output.name, vocabularySize: encoder.tokenizer.vocabularySize,
        shardTokens: output.shardTokens)
    }
    var split = ValidationSplit(output.validation, at: output.validationPlace, byteCount: byteCount)
    let counts = try forEachSegment(progress, cut: split.cut) { segment, worker in
      encode(segment, encoders[worker], kind: kind)
    } then: { (segment, bytesBefore) throws(FormatError) in
      try writing { () throws(FileError) in try split.add(segment, bytesBefore: bytesBefore, to: writer) }
    }
    try writing { () throws(FileError) in try split.finish(writer) }
    guard writer.trainingCount > 0 else {
      let others = sources.count > 1 ? " and \(sources.count - 1) more" : ""
      throw .mismatch(
        path: (sources.first?.path ?? "") + others, field: "the text",
        expected:
          "more than the \(counts.tokens == 0 ? 0 : writer.validationCount) tokens that validation takes",
        found: "\(counts.tokens) tokens")
    }
    return (try finish(writer, output, kind: kind, encoder.tokenizer, vocabulary), counts)
  }

  private func finish(
    _ writer: TokenWriter, _ output: Output, kind: DataManifest.Kind, _ tokenizer: Tokenizer,
    _ vocabulary: [UInt8]?
  ) throws(FormatError) -> DataManifest {
    let manifestFile = "\(output.name)_manifest.json"
    if let vocabulary { try Machine.write(vocabulary, toNew: writer.temporaryPath + output.tokenizerFile) }
    let (trainingCount, validationCount) = (writer.trainingCount, writer.validationCount)
    let counts = writer.counts
    let files = try writing { () throws(FileError) in try writer.finish() }
    let manifest = DataManifest(
      path: output.folder + manifestFile, kind: kind, vocabularySize: tokenizer.vocabularySize,
      endOfText: Int(tokenizer.endOfText), tokenizerFile: kind == .gpt2 ? output.tokenizerFile : nil,
      characters: kind == .characters ? tokenizer.allText : nil,
      training: .init(tokens: trainingCount, files: files.training, fileTokens: counts.training),
      validation: .init(tokens: validationCount, files: files.validation, fileTokens: counts.validation))
    try Machine.write(Array(manifest.json.utf8), toNew: writer.temporaryPath + manifestFile)
    try writing { () throws(FileError) in
      // Where it is there, missing token files are noticed.
      try writer.commit(first: manifestFile)
    }
    return manifest
  }

  // MARK: - Segments

  /// Calls `task` for the segments of all sources, many at a time, and then `then` for each in order.
  private func forEachSegment(
    _ progress: (Counts) -> Void, cut: Int? = nil, _ task: (_ segment: TextSegment, _ worker: Int) -> Void,
    then: (_ segment: TextSegment, _ bytesBefore: Int) throws(FormatError) -> Void
  ) throws(FormatError) -> Counts {
    var (counts, lines) = (Counts(), 0)
    var stream = TextSegmentStream(sources, cut: cut)
    while true {
      let segments = try stream.next(
        byteCount: parallel.threads * Self.bytesPerThread, count: parallel.threads * Self.segmentsPerThread)
      if segments.isEmpty { return counts }
      parallel.forEach(segments.count) { index, worker in task(segments[index], worker) }
      for segment in segments {
        if segment.offset == 0 { lines = 0 }
        if let problem = segment.problem {
          throw problem.error(path: segment.source.path, linesBefore: lines)
        }
        try then(segment, counts.bytes)
        lines += segment.lines
        counts.add(segment)
      }
      progress(counts)
    }
  }

  private func encode(_ segment: TextSegment, _ encoder: TextEncoder, kind: DataManifest.Kind) {
    let end = encoder.tokenizer.endOfText
    // English has four bytes a token; more are made room for as they come.
    segment.tokens.reserveCapacity(segment.bytes.count / 3)
    segment.forEachPart(splitsAtBlankLines: splitsAtBlankLines) { (text, opens, closes) throws(TextError) in
      if opens, kind != .characters { segment.tokens.append(end) }
      if kind != .characters { segment.invalidBytes += UTF8Scalars.invalidBytes(in: text).count }
      try encoder.encode(text, into: &segment.tokens)
      if closes, kind == .characters, segment.tokens.last != end { segment.tokens.append(end) }
    }
  }
}

extension Tokenization.Counts {
  fileprivate mutating func add(_ segment: TextSegment) {
    bytes += segment.bytes.count
    documents += segment.documents
    tokens += segment.tokens.count
    invalidBytes += segment.invalidBytes
  }
}

extension TextSegment.Problem {
  fileprivate func error(path: String, linesBefore: Int) -> FormatError {
    .mismatch(
      path: path, field: line.map { "line \(linesBefore + $0)" } ?? "the text", expected: expected,
      found: found)
  }
}

extension Tokenizer {
  /// The text of all tokens, in their order.
  fileprivate var allText: String { decode(Array(0..<Int32(vocabularySize))) }
}

/// Scalars that were seen: a bit each. One thread at a time.
private final class ScalarSet {
  private var words = [UInt64](repeating: 0, count: 0x110000 / 64)

  func insert(_ text: Span<UInt8>) throws(TextError) {
    var position = 0
    while position < text.count {
      let (value, length) = UTF8Scalars.scalar(in: text, at: position)
      guard let value else { throw .invalidUTF8(offset: position, byte: text[position]) }
      words[Int(value / 64)] |= 1 << UInt64(value % 64)
      position += length
    }
  }

  var scalars: [Unicode.Scalar] {
    words.indices.filter { words[$0] != 0 }.flatMap { index in
      (0..<64).filter { words[index] >> UInt64($0) & 1 == 1 }.compactMap {
        Unicode.Scalar(UInt32(64 * index + $0))
      }
    }
  }
}
