import Terminal
import Tokens

/// Token files in words.
enum TokenFileText {
  /// "llm.c data file, version 1, uint16".
  static func kind(_ file: TokenFile) -> String {
    switch file.format {
    case .llm(let version): "llm.c data file, version \(version), \(file.type.rawValue)"
    case .numpy(let version): "NumPy array, version \(version), \(file.type.rawValue)"
    case .raw: "raw token file, \(file.type.rawValue)"
    case .memory: "tokens in memory"
    }
  }

  /// What the header of a run says of its data.
  static func lines(training: DataLoader, validation: DataLoader?) -> [(String, String)] {
    let names = training.files.map { file in
      // What was guessed is shown.
      file.format == .raw(isGuessed: true) ? "\(file.path) (\(file.type.rawValue))" : file.path
    }
    let short = training.shortFiles + (validation?.shortFiles ?? [])
    let lines = [("data", NameText.list(names, of: "file"))]
    if short.isEmpty { return lines }
    return lines + [("passed over", NameText.list(short.map(\.path), of: "file") + ": shorter than a batch")]
  }
}
