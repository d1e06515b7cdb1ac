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
    subcommands: [Train.self, Verify.self, Inspect.self])

  static func main() {
    do {
      var command = try parseAsRoot()
      try command.run()
    } catch {
      fail(error)
    }
  }

  /// Ends the process: help goes to standard output, an error to standard error in one line.
  private static func fail(_ error: any Error) -> Never {
    let code = exitCode(for: error)
    let message = message(for: error)
    guard code != .success else {
      // What is asked for, such as help, is a result.
      Console.print(fullMessage(for: error))
      exit(withError: ExitCode.success)
    }
    if !message.isEmpty { Console.printError(message) }
    exit(withError: code == .validationFailure ? ExitCode(64) : code)
  }
}
