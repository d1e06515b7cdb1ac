import Machine

/// Token files of one name found under a data directory: for training and for validation.
public struct DataSet: Sendable, Equatable {
  /// The path below the data directory without `_train.bin`, as `tiny_shakespeare` or `web/part`; of nanoGPT's
  /// `train.bin` and `val.bin` that of their folder, or the data directory's own name.
  public let name: String
  public let training: [String]
  /// None where a manifest beside the training files vouches for that.
  public let validation: [String]
}

extension DataSet {
  /// The pairs `NAME_train.bin`, `NAME_val.bin` and `train.bin`, `val.bin` in `directory` and below, sorted by name in
  /// the order of UTF-8 bytes. In place of either file of a NAME there may be shards, `NAME_train_000000.bin` and on,
  /// which follow each other in the order of their names. `DirectoryTree` says what is looked at.
  ///
  /// - Parameter passedOver: gets what cannot be looked into, and what is no file and has the name of one.
  /// - Throws: `DataError.notADirectory`, `.format` for one that cannot be read, or `.noDataSet` with the unpaired files
  ///   where there is no pair.
  public static func discover(
    in directory: String, passedOver: ([FileError]) -> Void = { _ in }
  ) throws(DataError) -> [DataSet] {
    guard Directory.exists(at: directory) else { throw .notADirectory(path: directory) }
    let tree: DirectoryTree
    do { tree = try DirectoryTree(path: directory) } catch { throw .format(.file(error)) }
    let others = tree.passedOver + tree.others.filter { isTokenFile($0.path) }.map(\.error)
    passedOver(others)
    let visible = tree.files
    let (training, validation) = (files(visible, part: "train"), files(visible, part: "val"))
    let prefix = directory.hasSuffix("/") ? directory : directory + "/"
    let all = Set(visible)
    // What `gpt2 tokenize` made without validation is whole.
    let names = training.keys.filter { validation[$0] != nil || all.contains($0 + "_manifest.json") }
    let named = names.map { name in
      DataSet(
        name: name, training: (training[name] ?? []).map { prefix + $0 },
        validation: (validation[name] ?? []).map { prefix + $0 })
    }
    let sets =
      named + pairs(visible, prefix: prefix, rootName: rootName(directory))
    guard !sets.isEmpty else {
      let nameless = visible.filter {
        ["train.bin", "val.bin"].contains($0.split(separator: "/").last ?? "")
      }
      throw .noDataSet(
        directory: directory,
        found: ([training, validation].flatMap { $0.values.joined() } + nameless).sorted(),
        isAllSeen: others.isEmpty)
    }
    // Where a name is there twice, that of a folder comes last.
    return sets.enumerated().sorted { first, second in
      let (one, other) = (first.element.name.utf8, second.element.name.utf8)
      return one.elementsEqual(other) ? first.offset < second.offset : one.lexicographicallyPrecedes(other)
    }.map(\.element)
  }

  /// What the directory itself is called.
  private static func rootName(_ directory: String) -> String {
    let path = FileLink.resolved(directory) ?? directory
    return String(path.split(separator: "/").last ?? "/")
  }

  /// nanoGPT's: `train.bin` beside `val.bin`, which have the name of their folder.
  private static func pairs(_ paths: [String], prefix: String, rootName: String) -> [DataSet] {
    let all = Set(paths)
    return paths.filter { $0 == "train.bin" || $0.hasSuffix("/train.bin") }.compactMap { path in
      let folder = path.dropLast("train.bin".utf8.count)
      guard all.contains(folder + "val.bin") else { return nil }
      return DataSet(
        name: folder.isEmpty ? rootName : String(folder.dropLast()), training: [prefix + path],
        validation: [prefix + folder + "val.bin"])
    }
  }

  /// The data set called `name`, by its whole name or, where only one has it, by the last part of it; the
  /// first in order when `name` is nil.
  ///
  /// - Parameter found: what `discover(in:)` found in `directory`, at least one.
  /// - Throws: `DataError.unknownDataSet`, which lists the names.
  public static func choose(
    _ name: String?, among found: [DataSet], in directory: String
  ) throws(DataError) -> DataSet {
    guard let name else { return found[0] }
    if let exact = found.first(where: { $0.name == name }) { return exact }
    let matches = found.filter { $0.name.split(separator: "/").last.map(String.init) == name }
    guard matches.count == 1 else {
      throw .unknownDataSet(name: name, directory: directory, found: found.map(\.name))
    }
    return matches[0]
  }

  /// The token files of `part` among `paths`, by the name of their data set and sorted.
  private static func files(_ paths: [String], part: String) -> [String: [String]] {
    var files: [String: [String]] = [:]
    for path in paths.sorted(by: { $0.utf8.lexicographicallyPrecedes($1.utf8) }) {
      if let name = name(of: path, part: part) { files[name, default: []].append(path) }
    }
    return files
  }

  /// NAME, where `path` is `NAME_PART.bin` or `NAME_PART_` and a number.
  private static func name(of path: String, part: String) -> String? {
    guard path.hasSuffix(".bin") else { return nil }
    var stem = path.dropLast(4)
    if let last = stem.split(separator: "_").last, !last.isEmpty, last.utf8.allSatisfy({ 0x30...0x39 ~= $0 }),
      !stem.hasSuffix("_")
    {
      let shorter = stem.dropLast(last.count)
      if shorter.hasSuffix("_") { stem = shorter.dropLast() }
    }
    return stem.hasSuffix("_\(part)") ? String(stem.dropLast(part.count + 1)) : nil
  }

  /// Whether a file of this path would be one of token ids.
  private static func isTokenFile(_ path: String) -> Bool {
    let isNameless = ["train.bin", "val.bin"].contains(path.split(separator: "/").last ?? "")
    return isNameless || ["train", "val"].contains { name(of: path, part: $0) != nil }
  }

  /// Whether the file called `file` belongs to the data set called `name` in the same folder.
  static func isFile(_ file: String, ofDataSet name: String) -> Bool {
    ["train", "val"].contains { self.name(of: file, part: $0) == name }
      || ["\(name)_manifest.json", "\(name)_tokenizer.bin"].contains(file)
  }

  /// Where the manifest of a token file lies, by the names that `gpt2 tokenize` gives; nil for other names.
  public static func manifestPath(ofTokenFile path: String) -> String? {
    (name(of: path, part: "train") ?? name(of: path, part: "val")).map { $0 + "_manifest.json" }
  }
}
