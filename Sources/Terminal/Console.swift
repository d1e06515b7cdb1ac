import Foundation

/// Standard output, for results, and standard error.
package enum Console {
  /// Whether standard error is a terminal, where progress may be shown.
  private static let showsProgress = isatty(STDERR_FILENO) == 1

  /// Writes `text` and a line feed to standard output at once, so that whoever reads a pipe sees every line
  /// when it is written. Where nobody reads any more, the process ends: by SIGPIPE, or here where that is ignored.
  package static func print(_ text: String = "") { write(text + "\n") }

  /// The same without a line feed: text that comes piece by piece.
  package static func write(_ text: String) {
    do { try FileHandle.standardOutput.write(contentsOf: Data(text.utf8)) } catch {
      printError("standard output cannot be written")
      exit(EXIT_FAILURE)
    }
  }

  /// Writes one sentence to standard error, in one line.
  package static func printError(_ sentence: String) {
    var line = sentence.split(whereSeparator: \.isNewline).joined(separator: " ").withoutControls
    if line.last != "." { line += "." }
    printStatus("error: \(line)\n")
  }

  /// Writes one sentence to standard error about what is amiss and does not end the program.
  package static func printWarning(_ sentence: String) {
    var line = sentence.split(whereSeparator: \.isNewline).joined(separator: " ").withoutControls
    if line.last != "." { line += "." }
    printStatus("warning: \(line)\n")
  }

  /// One line on standard error that the next one replaces; nothing unless a person looks.
  ///
  /// - Parameter text: evaluated only where it is shown.
  package static func showProgress(_ text: @autoclosure () -> String) {
    if showsProgress { printStatus("\r\u{1B}[K\(text())") }
  }

  /// Removes the line of progress.
  package static func clearProgress() { showProgress("") }

  /// A line on standard error for whoever looks.
  package static func printNote(_ text: String) {
    if showsProgress { printStatus(text + "\n") }
  }

  /// Writes to standard error as it is; that it may be closed matters to nobody.
  private static func printStatus(_ text: String) {
    try? FileHandle.standardError.write(contentsOf: Data(text.utf8))
  }
}

extension String {
  /// Names of files may hold what steers a terminal.
  fileprivate var withoutControls: String {
    String(String.UnicodeScalarView(unicodeScalars.filter { $0.properties.generalCategory != .control }))
  }
}
