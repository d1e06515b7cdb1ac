import Foundation

/// A pair of token files found under a data directory.
public struct DataSet: Sendable, Equatable {
  /// The path below the data directory without `_train.bin`, as `tiny_shakespeare` or `web/part`.
  public let name: String
  public let training: [String]
  public let validation: [String]
}

extension DataSet {
  private static let trainingSuffix = "_train.bin"
  private static let validationSuffix = "_val.bin"

  /// The pairs `NAME_train.bin`, `NAME_val.bin` in `directory` and below, sorted by name in the order of
  /// UTF-8 bytes. Links to directories inside it are not followed.
  ///
  /// - Throws: `DataError.notADirectory`, or `.noDataSet` with the unpaired files where there is no pair.
  public static func discover(in directory: String) throws(DataError) -> [DataSet] {
    let root = URL(fileURLWithPath: directory).resolvingSymlinksInPath().path
    // The second gives no paths, and no error, for a file.
    guard (try? FileManager.default.contentsOfDirectory(atPath: root)) != nil,
      let paths = try? FileManager.default.subpathsOfDirectory(atPath: root)
    else {
      throw .notADirectory(path: directory)
    }
    let training = names(of: paths, suffix: trainingSuffix)
    let validation = names(of: paths, suffix: validationSuffix)
    let names = training.intersection(validation).sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    guard !names.isEmpty else {
      let unpaired = training.map { $0 + trainingSuffix } + validation.map { $0 + validationSuffix }
      throw .noDataSet(directory: directory, found: unpaired.sorted())
    }
    let prefix = directory.hasSuffix("/") ? directory : directory + "/"
    return names.map { name in
      DataSet(
        name: name, training: [prefix + name + trainingSuffix],
        validation: [prefix + name + validationSuffix])
    }
  }

  /// The data set called `name`, by its whole name or, where only one has it, by the last part of it; the
  /// first in order when `name` is nil.
  ///
  /// - Throws: as `discover(in:)`, and `DataError.unknownDataSet`, which lists the names.
  public static func choose(_ name: String?, in directory: String) throws(DataError) -> DataSet {
    let found = try discover(in: directory)
    guard let name else { return found[0] }
    if let exact = found.first(where: { $0.name == name }) { return exact }
    let matches = found.filter { $0.name.split(separator: "/").last.map(String.init) == name }
    guard matches.count == 1 else {
      throw .unknownDataSet(name: name, directory: directory, found: found.map(\.name))
    }
    return matches[0]
  }

  private static func names(of paths: [String], suffix: String) -> Set<String> {
    let files = paths.filter { path in
      path.hasSuffix(suffix) && !path.split(separator: "/").contains { $0.hasPrefix(".") }
    }
    return Set(files.map { String($0.dropLast(suffix.count)) })
  }
}
