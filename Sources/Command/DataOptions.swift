import ArgumentParser
import GPT2
import Machine
import Terminal
import Tokens

/// The files to train on.
struct DataFiles {
  /// The name of the data set, or of nothing where files were given one by one.
  var name: String?
  var training: [String]
  var validation: [String]
  /// All data sets that were found.
  var found: [String] = []
  var directory = ""
}

extension DataFiles {
  /// What `gpt2 tokenize` wrote beside the files; nil where there is none.
  ///
  /// - Parameter vocabularySize: the model's.
  /// - Throws: `FormatError`; `VocabularyError` where the files' manifests tell of several vocabularies, or of another
  ///   one than the model's.
  func manifest(vocabularySize: Int) throws -> DataManifest? {
    var first: DataManifest?
    for path in (training + validation).compactMap(DataSet.manifestPath(ofTokenFile:)).unique()
    where FileStatus.kind(at: path) != nil {
      let manifest = try DataManifest(path: path)
      if let first, !first.hasVocabulary(of: manifest) { throw VocabularyError(first, manifest) }
      first = first ?? manifest
    }
    if let first, first.vocabularySize != vocabularySize {
      throw VocabularyError(manifest: first, model: vocabularySize)
    }
    return first
  }
}

extension DataFiles {
  /// The files, mapped and compared with what their manifests say: all of a data set that was found, or those of them
  /// that were given.
  ///
  /// - Throws: `FormatError`.
  func opened(
    as type: TokenType?, vocabularySize: Int
  ) throws -> (training: [TokenFile], validation: [TokenFile]) {
    func open(_ paths: [String]) throws -> [TokenFile] {
      try paths.map { try TokenFile(path: $0, type: type, vocabularySize: vocabularySize) }
    }
    let files = (training: try open(training), validation: try open(validation))
    try DataManifest.check(files.training + files.validation, areAll: name != nil)
    return files
  }
}

/// Data of another vocabulary than the model's, or of several: one sentence.
private struct VocabularyError: Error, CustomStringConvertible {
  let description: String

  init(manifest: DataManifest, model: Int) {
    description = """
      \(manifest.path): the vocabulary should have the model's \(model) tokens, but has \(manifest.vocabularySize) \
      (\(manifest.kind.rawValue)): take another model for these data, such as one that is trained anew with \
      --vocabulary \(manifest.vocabularySize).
      """
  }

  init(_ first: DataManifest, _ second: DataManifest) {
    description = """
      \(second.path): the vocabulary should be that of \(first.path), as both are taken together, but is another one.
      """
  }
}

extension Array where Element: Hashable {
  /// Without what came before.
  fileprivate func unique() -> [Element] {
    var seen: Set<Element> = []
    return filter { seen.insert($0).inserted }
  }
}

extension DataOrder: ExpressibleByArgument {}

/// The options that choose data and tokenizer.
struct DataOptions: ParsableArguments {
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      """
      Where to look, subdirectories included, for pairs NAME_train.bin and NAME_val.bin, or their shards, and for \
      train.bin beside val.bin, which have the name of their folder. (default: data where the working directory has it, else the working directory)
      """,
      valueName: "dir"))
  var data: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "The NAME of the pair. (default: the first in order whose vocabulary is the model's)", valueName: "name"
    ))
  var dataset: String?

  @Option(
    name: .customLong("train-data"), parsing: .upToNextOption,
    help: ArgumentHelp("Token files to train on, in this order, instead of a pair.", valueName: "file"))
  var trainingData: [String] = []

  @Option(
    name: .customLong("val-data"), parsing: .upToNextOption,
    help: ArgumentHelp("Token files to validate on, beside --train-data.", valueName: "file"))
  var validationData: [String] = []

  @OptionGroup var tokenTypeOption: TokenTypeOption

  @Option(
    parsing: .unconditional,
    help: """
      Where training's sequences come from: sequential, as they lie in the files; random, from anywhere, as nanoGPT \
      takes them; shuffled, each once in an epoch, file by file. Validation is sequential.
      """)
  var order: DataOrder = .sequential

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      """
      Turns samples into text. (default: what the data's manifest names, else \(TokenizerChoice.search), where it has \
      the model's vocabulary)
      """,
      valueName: "file"))
  var tokenizer: String?

  func validate() throws {
    if !trainingData.isEmpty, data != nil || dataset != nil {
      throw ValidationError(
        "expected --train-data or a data set, found --train-data and \(data != nil ? "--data" : "--dataset")")
    }
    if trainingData.isEmpty, !validationData.isEmpty {
      throw ValidationError("--val-data needs --train-data beside it, found none")
    }
  }

  /// The files asked for, else those found; nil where nothing was asked for and nothing found.
  ///
  /// - Parameter vocabularySize: the model's: the first data set that fits it is taken where none is named.
  func files(vocabularySize: Int?) throws -> DataFiles? {
    if !trainingData.isEmpty { return DataFiles(training: trainingData, validation: validationData) }
    let directory = data ?? Self.defaultDirectory
    do throws(DataError) {
      let all = try DataSet.discover(in: directory, passedOver: Console.warnPassedOver)
      let fitting = dataset == nil ? all.first { $0.fits(vocabularySize: vocabularySize) } : nil
      let chosen: DataSet
      if let fitting {
        chosen = fitting
      } else {
        chosen = try DataSet.choose(dataset, among: all, in: directory)
      }
      return DataFiles(
        name: chosen.name, training: chosen.training, validation: chosen.validation, found: all.map(\.name),
        directory: directory)
    } catch {
      if data != nil || dataset != nil || tokenTypeOption.tokenType != nil { throw error }
      guard case .noDataSet(_, _, let isAllSeen) = error else { throw error }
      // A folder for data is there for them: those that cannot be read are not none.
      if !isAllSeen, directory != Self.workingDirectory { throw error }
      return nil
    }
  }

  static var defaultDirectory: String {
    Directory.exists(at: "data") ? "data" : workingDirectory
  }

  private static let workingDirectory = "."

  /// The tokenizer, and a line about it that says why where there is none.
  ///
  /// - Throws: where the data have a manifest, and it is of another vocabulary than the model.
  func tokenizer(for model: ModelSource, _ files: DataFiles) throws -> (Tokenizer?, summary: String) {
    let choice = try TokenizerChoice(
      given: tokenizer, data: files, checkpoint: model.checkpoint,
      vocabularySize: model.configuration.vocabularySize)
    let summary = choice.summary
    return (
      choice.tokenizer, choice.tokenizer == nil ? "none, samples are printed as ids: \(summary)" : summary
    )
  }

  /// What lies beside the trained model: what lay beside the one that it begins with, of whose tokenizer the files beside
  /// the given one take the place.
  ///
  /// - Throws: `FormatError`.
  func modelFiles(of model: ModelSource) throws -> [(name: String, bytes: [UInt8])] {
    let own = try model.checkpoint?.companionFiles() ?? []
    guard let tokenizer else { return own }
    let others = own.filter { !Checkpoint.tokenizerFileNames.contains($0.name) }
    guard tokenizer.hasSuffix(".json") else { return others }
    let folder = Directory.prefix(of: tokenizer)
    return try others
      + Checkpoint.tokenizerFileNames.filter { FileStatus.kind(at: folder + $0) == .regular }.map { name in
        (name, try contents(folder + name))
      }
  }
}
