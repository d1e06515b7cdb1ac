import ArgumentParser
import Foundation
import Machine

extension ParsableCommand {
  /// Runs the program whose root this command is, by the arguments of the process, and returns where all went well.
  ///
  /// Else it ends the process: help goes to standard output, an error to standard error in one line. Exit codes:
  /// 0 success, 1 failed, 64 wrong usage; 128 and the number of a signal that ended it.
  package static func runProgram() {
    ProcessStart.prepare()
    do {
      var command = try parseAsRoot(ProcessStart.arguments)
      try command.run()
    } catch {
      fail(error)
    }
  }

  private static func fail(_ error: any Error) -> Never {
    let code = exitCode(for: error)
    switch code {
    case .success:
      // What is asked for, such as help, is a result.
      Console.print(fullMessage(for: error))
    case .validationFailure:
      Console.clearProgress()
      Console.printError(usageSentence(message(for: error)))
    default:
      Console.clearProgress()
      Console.printError("\(error)")
    }
    exit(withError: code)
  }

  /// Whether a word stands where a subcommand should and is none.
  private static func isNoSubcommand(_ word: String) -> Bool {
    !configuration.subcommands.isEmpty && !word.hasPrefix("-") && word != "help"
      && !configuration.subcommands.contains { $0._commandName == word }
  }

  /// The parser's message as one sentence that says where to read on.
  private static func usageSentence(_ message: String) -> String {
    // The parser says some things in several lines.
    let message = message.split(whereSeparator: \.isNewline).joined(separator: " ")
    var sentence = message.replacing(". Did you mean", with: ", did you mean")
      .replacing(". Please provide one of", with: ": it is one of")
    if let word = ProcessStart.arguments.first, isNoSubcommand(word) {
      sentence =
        "there is no '\(word)'" + (CommandHabits.subcommand(for: word).map { ", which '\($0)' does" } ?? "")
        + ": the subcommands are \(configuration.subcommands.compactMap { $0._commandName }.joined(separator: ", "))"
    }
    while let last = sentence.last, ".?".contains(last) { sentence.removeLast() }
    sentence += expectedNumber(afterMessage: sentence)
    let command = ProcessStart.arguments.first { name in
      configuration.subcommands.contains { $0._commandName == name }
    }
    return "\(sentence) (see \(_commandName) \(command.map { $0 + " " } ?? "")--help)."
  }
}
