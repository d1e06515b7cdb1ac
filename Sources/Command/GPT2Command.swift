import ArgumentParser

/// `gpt2`: the root of the subcommands, each in a file of its own.
@main
struct GPT2Command: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "gpt2",
    abstract: "Trains GPT-2 on CPUs.",
    discussion: """
      Results go to standard output; progress, on a terminal, and errors go to standard error.

      Exit codes: 0 success, 1 failed, 64 wrong usage.

      To begin: 'gpt2 train' in a directory without data or a checkpoint trains a small model on sums \
      that the program makes up itself, within about a minute.
      """,
    subcommands: [Train.self, Tokenize.self, Verify.self, Convert.self, Inspect.self])

  static func main() {
    do {
      var command = try parseAsRoot()
      try command.run()
    } catch {
      fail(error)
    }
  }

  /// The parser's message as one sentence that says where to read on.
  private static func usageSentence(_ message: String) -> String {
    var sentence = message.replacing(". Did you mean", with: ", did you mean")
      .replacing(". Please provide one of", with: ": it is one of")
    while let last = sentence.last, ".?".contains(last) { sentence.removeLast() }
    let command = CommandLine.arguments.dropFirst().first { name in
      configuration.subcommands.contains { $0._commandName == name }
    }
    return "\(sentence) (see gpt2 \(command.map { $0 + " " } ?? "")--help)."
  }

  /// Ends the process: help goes to standard output, an error to standard error in one line.
  private static func fail(_ error: any Error) -> Never {
    let code = exitCode(for: error)
    switch code {
    case .success:
      // What is asked for, such as help, is a result.
      Console.print(fullMessage(for: error))
    case .validationFailure:
      Console.printError(usageSentence(message(for: error)))
    default:
      Console.printError("\(error)")
    }
    exit(withError: code)
  }
}
