import Machine
import Tokens

extension DataSet {
  /// Whether its tokens may be those of a model: by its manifest, else by the ids at both ends of its first file.
  ///
  /// - Parameter vocabularySize: nil where there is no model yet.
  func fits(vocabularySize: Int?) -> Bool {
    guard let vocabularySize, let path = training.first else { return true }
    if let manifest = DataSet.manifestPath(ofTokenFile: path).flatMap({ try? DataManifest(path: $0) }) {
      return manifest.vocabularySize == vocabularySize
    }
    guard let file = try? TokenFile(path: path) else { return false }
    let length = min(file.count, 4096)
    let ends = file.tokens(in: 0..<length) + file.tokens(in: file.count - length..<file.count)
    return ends.allSatisfy { (0..<Int32(clamping: vocabularySize)).contains($0) }
  }
}
