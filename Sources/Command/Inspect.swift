import ArgumentParser
import GPT2
import Machine
import Operators
import Terminal
import Tokens

/// `gpt2 inspect`: tells what a file is, by its content.
struct Inspect: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Tells what a file is and what is in it.",
    discussion: """
      Knows llm.c's checkpoints (versions 1, 3, 5), data files, tokenizers and debug states, NumPy's .npy and raw \
      token files, the manifests of 'gpt2 tokenize', Hugging Face's GPT-2 directories, safetensors files and vocab.json \
      (with merges.txt beside it), PyTorch's pytorch_model.bin and nanoGPT's ckpt.pt, folders of token files, logs of \
      training runs and run directories: by their content, whatever their names. Of a checkpoint it prints the sizes and a table of the \
      sixteen tensors, and before it the tensors of a Hugging Face directory as it names them; the rows that pad the \
      vocabulary are not in its statistics.
      """)

  @Argument(help: "The file or directory.")
  var path: String

  @OptionGroup var tokenTypeOption: TokenTypeOption

  func run() throws {
    if let type = tokenTypeOption.tokenType { return try describe(try TokenFile(path: path, type: type)) }
    let magic: FileMagic?
    do { magic = try FileMagic.detect(path: path) } catch .file(.isDirectory) {
      return try describeDirectory()
    }
    switch magic {
    case .checkpoint: try describeCheckpoint(try Checkpoint.opened(path))
    case .debugState: describe(try DebugStateHeader(path: path))
    case .tokenizer: describe(try Tokenizer(path: path), kind: "llm.c tokenizer")
    case .tokens, .longTokens: try describe(try TokenFile(path: path))
    case .hellaSwag:
      describe(try HellaSwagFile(path: path, encoder: nil))
    case nil: try describeOther()
    }
  }

  /// What is none of llm.c's.
  private func describeOther() throws {
    switch FileKind.detect(path: path) {
    case .numpy: try describe(try TokenFile(path: path))
    case .safetensors: describe(try SafetensorsFile(path: path))
    case .trainingLog:
      printLines([("file", path), ("kind", "training log")] + (try TrainingLogSummary(path: path)).lines)
    case .zip: try describePyTorch()
    case .json:
      switch try JSONFileKind.detect(path: path) {
      case .manifest: try describe(try DataManifest(path: path))
      case .vocabulary:
        describe(try Tokenizer(path: path), kind: "Hugging Face vocabulary, with merges.txt beside it")
      case .tokenizer: describe(try Tokenizer(path: path), kind: "Hugging Face tokenizer.json")
      case .numbers, nil: try describe(FileKind.json)
      }
    case let kind?: try describe(kind)
    case nil: try describeRaw()
    }
  }

  private func describeCheckpoint(_ checkpoint: Checkpoint) throws {
    let configuration = checkpoint.configuration
    printLines([
      ("file", checkpoint.path),
      ("kind", "\(checkpoint.format)"),
      ("size", sizeText(checkpoint.byteCount)),
      ("model", ModelText.sizes(configuration)), ("parameters", ModelText.parameters(configuration)),
    ])
    if configuration.activation != .gelu { printLines([("activation", configuration.activation.rawValue)]) }
    if configuration.layerNormEpsilon != Configuration.defaultLayerNormEpsilon {
      printLines([("epsilon", "\(configuration.layerNormEpsilon)")])
    }
    if !checkpoint.storedTensors.isEmpty { TensorTable.print(checkpoint.storedTensors) }
    let parameters = try ParameterTensors(configuration, what: "The parameters")
    checkpoint.load(into: parameters, context: try ExecutionContext())
    Console.print()
    Console.print(
      row("tensor", "shape", ["min", "max", "mean", "deviation"].map { $0.aligned(to: 12) }))
    for tensor in parameters.tensors {
      var statistics = Statistics()
      for part in tensor.parts {
        // Rows that pad the vocabulary say nothing.
        let isEmbedding = tensor.name == Parameter.wte.name
        let used = isEmbedding ? configuration.vocabularySize * configuration.channels : part.count
        part.slice(0..<used).withSpan { statistics.add($0) }
      }
      let shape = tensor.shape.map(String.init).joined(separator: " × ")
      Console.print(row(tensor.name, shape, statistics.columns))
    }
  }

  private func row(_ name: String, _ shape: String, _ columns: [String]) -> String {
    name.padded(to: 10) + shape.padded(to: 20) + columns.joined(separator: " ")
  }

  private func describe(_ file: SafetensorsFile) {
    printLines([
      ("file", path), ("kind", "safetensors"), ("size", sizeText(file.byteCount)),
      ("tensors", "\(file.entries.count)"),
    ])
    TensorTable.print(file.entries)
  }

  /// A run, a checkpoint, or else a folder of data: nothing below it has to be looked at.
  private func describeDirectory() throws {
    if let run = try RunSummary(path: path) {
      try run.print()
      guard let newest = run.newest else { return }
      Console.print()
      return try describeCheckpoint(try newest.checkpoint())
    }
    do { try describeCheckpoint(try Checkpoint.opened(path)) } catch {
      guard let sets = TokenFolder.dataSets(in: path) else { throw error }
      printLines([("file", path), ("kind", "folder of token files")] + TokenFolder.lines(sets))
    }
  }

  /// nanoGPT's checkpoint, or else a dictionary of tensors.
  private func describePyTorch() throws {
    guard let checkpoint = try? Checkpoint(path: path) else {
      let entries = try PyTorchTensors.entries(path: path)
      printLines([
        ("file", path), ("kind", "PyTorch's state dictionary"),
        ("size", sizeText(try MappedFile(path: path).byteCount)), ("tensors", "\(entries.count)"),
        ("next", "its directory, with config.json in it, is a checkpoint"),
      ])
      return TensorTable.print(entries)
    }
    try describeCheckpoint(checkpoint)
  }

  /// What none of the readers reads.
  private func describe(_ kind: FileKind) throws {
    printLines([
      ("file", path), ("kind", kind.name), ("size", sizeText(try MappedFile(path: path).byteCount)),
      ("next", kind.advice),
    ])
  }

  private func describe(_ state: DebugStateHeader) {
    printLines([
      ("file", path), ("kind", "llm.c debug state, version \(state.version)"),
      ("size", sizeText(state.byteCount)),
      ("batch", "\(state.batchSize) × \(state.sequenceLength) tokens"),
      ("next", "gpt2 verify compares it with its model, whose sizes it does not hold"),
    ])
  }

  private func describe(_ tokenizer: Tokenizer, kind: String) {
    let longest = (0..<tokenizer.vocabularySize).map { tokenizer.bytes(of: Int32($0))?.count ?? 0 }.max() ?? 0
    printLines([
      ("file", path), ("kind", kind), ("vocabulary", "\(tokenizer.vocabularySize) tokens"),
      ("end of text", "\(tokenizer.endOfText)"), ("longest", NumberText.count(longest, "byte")),
    ])
  }

  private func describe(_ manifest: DataManifest) throws {
    // Read, so that a vocabulary that is missing or another one is told.
    _ = try manifest.tokenizer()
    func text(_ part: DataManifest.Part) -> String {
      let count = NumberText.count(part.tokens, "token")
      guard let first = part.files.first, let last = part.files.last else { return "\(count) in no file" }
      if part.files.count == 1 { return "\(count) in \(first.shortened)" }
      return "\(count) in \(part.files.count) files, \(first.shortened) to \(last.shortened)"
    }
    printLines([
      ("file", path), ("kind", "manifest of token files"),
      ("vocabulary", "\(manifest.kind.rawValue), \(NumberText.count(manifest.vocabularySize, "token"))"),
      ("end of text", "\(manifest.endOfText)"), ("training", text(manifest.training)),
      ("validation", text(manifest.validation)), ManifestText.line(of: manifest),
    ])
  }

  private func describe(_ file: HellaSwagFile) {
    let longest = file.examples.map(\.inputCount).max() ?? 0
    printLines([
      ("file", path), ("kind", "llm.c HellaSwag file, version 1"), ("examples", "\(file.examples.count)"),
      ("longest", NumberText.count(longest, "token")),
      ("next", "gpt2 evaluate --hellaswag tells how many of them a model completes right"),
    ])
  }

  private func sizeText(_ byteCount: Int) -> String { "\(NumberText.bytes(byteCount)) (\(byteCount) bytes)" }

  private func printLines(_ lines: [(String, String)]) { Console.printFields(lines) }
}

/// What a tensor's numbers are like.
private struct Statistics {
  private var smallest = Float.infinity, largest = -Float.infinity
  private var sum = 0.0, squares = 0.0
  private var count = 0, nonFinite = 0

  mutating func add(_ values: Span<Float>) {
    count += values.count
    for index in values.indices {
      let value = values[index]
      guard value.isFinite else {
        nonFinite += 1
        continue
      }
      smallest = min(smallest, value)
      largest = max(largest, value)
      sum += Double(value)
      squares += Double(value) * Double(value)
    }
  }

  /// Four columns, and a warning where it is due.
  var columns: [String] {
    let finite = Double(max(1, count - nonFinite))
    let mean = sum / finite
    let deviation = max(0, squares / finite - mean * mean).squareRoot()
    let numbers = [Double(smallest), Double(largest), mean, deviation]
    let columns = numbers.map { NumberText.fixed($0, 6).aligned(to: 12) }
    return nonFinite == 0 ? columns : columns + [" \(nonFinite) not finite"]
  }
}
