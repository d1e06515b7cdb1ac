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
    return try? DataSet.discover(in: path, passedOver: Console.warnPassedOver)
  }

  /// Names and texts: a few lines a data set, of one that cannot be opened why.
  static func lines(_ sets: [DataSet]) -> [(String, String)] {
    sets.flatMap { set in
      var lines = [("data set", set.name)]
      do {
        let training = try set.training.map { try TokenFile(path: $0) }
        let validation = try set.validation.map { try TokenFile(path: $0) }
        lines += [("training", text(training)), ("validation", text(validation))]
        lines += ManifestText.lines(of: training + validation, areAll: true)
      } catch { lines.append(("problem", "\(error)")) }
      let path = set.training.first.flatMap { DataSet.manifestPath(ofTokenFile: $0) }
      // What is wrong with one was said.
      if let manifest = path.flatMap({ try? DataManifest(path: $0) }) {
        let size = NumberText.count(manifest.vocabularySize, "token")
        lines.append(("vocabulary", "\(manifest.kind.rawValue), \(size)"))
      }
      return lines
    }
  }

  private static func text(_ files: [TokenFile]) -> String {
    "\(files.reduce(0) { $0 + $1.count }) in \(NumberText.count(files.count, "file"))"
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
