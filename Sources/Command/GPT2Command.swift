import ArgumentParser
import Terminal

/// `gpt2`: the root of the subcommands, each in a file of its own.
@main
struct GPT2Command: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "gpt2",
    abstract: "Trains GPT-2 on CPUs, evaluates it and generates text.",
    discussion: """
      Results go to standard output; progress, on a terminal, and errors go to standard error.

      Exit codes: 0 success, 1 failed, 64 wrong usage, 129, 130, 131 and 143 ended by SIGHUP, SIGINT, \
      SIGQUIT and SIGTERM with nothing saved.

      To begin: 'gpt2 train' in a directory without data or a checkpoint trains a small model on sums \
      that the program makes up itself, within about a minute.
      """,
    version: ProgramVersion.current,
    subcommands: [
      Train.self, Generate.self, Evaluate.self, Tokenize.self, Verify.self, Convert.self, Inspect.self,
      Report.self,
    ])

  static func main() { runProgram() }
}
