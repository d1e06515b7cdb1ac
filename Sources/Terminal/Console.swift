import Foundation
import Machine
import Synchronization

/// Standard output, for results, and standard error.
package enum Console {
  /// Whether standard error is a terminal, where notes may be shown.
  private static let isTerminal = StandardStream.error.isTerminal
  /// Whether it is one that takes a line back.
  package static let showsProgress =
    isTerminal && !["", "dumb"].contains(ProcessInfo.processInfo.environment["TERM"] ?? "")
  /// Whether the last text on standard output was left without a line feed.
  private static let hasOpenLine = Atomic(false)
  /// No error is longer: the longest path there is, and a sentence about it.
  private static let longestError = 6000

  /// Writes `text` and a line feed to standard output at once, so that whoever reads a pipe sees every line
  /// when it is written. Where nobody reads any more, the process ends: by SIGPIPE, or here where that is ignored.
  package static func print(_ text: String = "") { write(text + "\n") }

  /// A line each, names in a column; what they say may come from a file, and is shown in one line.
  package static func printFields(_ fields: [(name: String, text: String)], width: Int = 12) {
    for (name, text) in fields { print(name.padded(to: width) + text.shown) }
  }

  /// The same without a line feed: text that comes piece by piece. An error or a warning behind it ends the line.
  package static func write(_ text: String) {
    do {
      try StandardStream.output.write(text)
      if let last = text.utf8.last { hasOpenLine.store(last != 0x0A, ordering: .relaxed) }
    } catch {
      // The line cannot be ended either.
      hasOpenLine.store(false, ordering: .relaxed)
      // Whose terminal is gone has still to save what it has.
      if StopSignal.received?.isHangUp == true { return }
      printError("\(error)")
      exit(EXIT_FAILURE)
    }
  }

  /// Writes one sentence to standard error, in one line.
  package static func printError(_ sentence: String) { printSentence("error", sentence) }

  /// Writes one sentence to standard error about what is amiss and does not end the program.
  package static func printWarning(_ sentence: String) { printSentence("warning", sentence) }

  /// Names what cannot be read where others are.
  package static func warnPassedOver(_ errors: [FileError]) {
    for error in errors { printWarning("passed over: \(error)") }
  }

  private static func printSentence(_ kind: String, _ sentence: String) {
    var line = sentence.utf8.count <= longestError ? sentence : sentence.prefix(longestError) + "…"
    line = line.shown
    if line.last != "." { line += "." }
    // A sentence begins a line, also behind text that came piece by piece.
    if hasOpenLine.load(ordering: .relaxed) { print() }
    printStatus("\(kind): \(line)\n")
  }

  /// One line on standard error that the next one replaces, no longer than the terminal is wide; nothing unless a
  /// person looks.
  ///
  /// - Parameter text: evaluated only where it is shown.
  package static func showProgress(_ text: @autoclosure () -> String) {
    // The last column stays free: some terminals go on to the next line when it is filled.
    if showsProgress { printStatus("\r\u{1B}[K\(text().shown.prefix(StandardStream.error.columns - 1))") }
  }

  /// The same of parts, of which those go first that matter least where the terminal is narrow.
  package static func showProgress(_ line: @autoclosure () -> ProgressLine) {
    showProgress(line().text(columns: StandardStream.error.columns - 1))
  }

  /// Removes the line of progress.
  package static func clearProgress() { showProgress(String()) }

  /// A line on standard error for whoever looks.
  package static func printNote(_ text: String) {
    if isTerminal { printStatus(text + "\n") }
  }

  /// Writes to standard error as it is; that it may be closed matters to nobody.
  private static func printStatus(_ text: String) { try? StandardStream.error.write(text) }
}
