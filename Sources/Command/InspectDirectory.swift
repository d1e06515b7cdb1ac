import GPT2
import Machine
import Terminal
import Tokens

/// A folder of token files, in a few lines.
enum TokenFolder {
  /// Whether a folder without a model has data in it.
  static func dataSets(in path: String) -> [DataSet]? {
    let names = (try? Directory.names(in: path)) ?? []
    guard !names.contains("config.json") else { return nil }
    return try? DataSet.discover(in: path)
  }

  /// Names and texts: a line a data set.
  ///
  /// - Throws: `FormatError` for a file or a manifest that is none.
  static func lines(_ sets: [DataSet]) throws -> [(String, String)] {
    var lines: [(String, String)] = []
    for set in sets {
      func tokens(_ paths: [String]) throws -> String {
        let count = try paths.reduce(0) { $0 + (try TokenFile(path: $1)).count }
        return "\(count) in \(NumberText.count(paths.count, "file"))"
      }
      lines.append(("data set", set.name))
      lines.append(("training", try tokens(set.training)))
      lines.append(("validation", try tokens(set.validation)))
      let manifests = set.training.prefix(1).compactMap { DataSet.manifestPath(ofTokenFile: $0) }
      for path in manifests where FileKind.detect(path: path) == .json {
        let manifest = try DataManifest(path: path)
        lines.append(
          ("vocabulary", "\(manifest.kind.rawValue), \(NumberText.count(manifest.vocabularySize, "token"))"))
      }
    }
    return lines
  }
}

/// The tensors of a file or a directory, by the names, types and shapes that they have there.
enum TensorTable {
  static func print(_ entries: [TensorEntry]) {
    let names = ["tensor"] + entries.map(\.name.shortened.shown)
    let width = 2 + (names.map(\.count).max() ?? 0)
    Console.print()
    Console.print(
      "tensor".padded(to: width) + "type".padded(to: 9) + "shape".padded(to: 20) + "size".aligned(to: 12))
    for (name, entry) in zip(names.dropFirst(), entries) {
      let shape = entry.shape.map(String.init).joined(separator: " × ")
      Console.print(
        name.padded(to: width) + entry.type.padded(to: 9) + shape.padded(to: 20)
          + NumberText.bytes(entry.bytes.count).aligned(to: 12))
    }
  }
}
