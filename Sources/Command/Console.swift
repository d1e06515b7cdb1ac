import Foundation

/// Standard output, for results, and standard error.
enum Console {
  /// Whether standard error is a terminal, where progress may be shown.
  static let showsProgress = isatty(STDERR_FILENO) == 1

  /// Writes `text` and a line feed to standard output at once, so that whoever reads a pipe sees every line
  /// when it is written. Where nobody reads any more, the process ends: by SIGPIPE, or here where that is ignored.
  static func print(_ text: String = "") {
    do { try FileHandle.standardOutput.write(contentsOf: Data((text + "\n").utf8)) } catch {
      printError("standard output cannot be written")
      exit(EXIT_FAILURE)
    }
  }

  /// Writes one sentence to standard error, in one line.
  static func printError(_ sentence: String) {
    var line = sentence.split(whereSeparator: \.isNewline).joined(separator: " ").withoutControls
    if line.last != "." { line += "." }
    printStatus("error: \(line)\n")
  }

  /// Writes to standard error as it is; that it may be closed matters to nobody.
  static func printStatus(_ text: String) {
    try? FileHandle.standardError.write(contentsOf: Data(text.utf8))
  }
}

extension String {
  /// Names of files may hold what steers a terminal.
  fileprivate var withoutControls: String {
    String(String.UnicodeScalarView(unicodeScalars.filter { $0.properties.generalCategory != .control }))
  }
}
