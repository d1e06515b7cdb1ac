import ArgumentParser
import Machine
import Terminal

/// `gpt2 report`: training runs as one page.
struct Report: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Draws training runs as one page for a browser.",
    discussion: """
      Loss, validation, learning rate, gradient norm and throughput by step, tokens or time, smoothed and logarithmic; \
      samples, options and machine. Several runs lie over one another. The page is one file that needs no other and \
      loads nothing, however long the runs were.

      A run is the log that 'gpt2 train --log' writes, also while it is written, or a run directory: its log is the one in \
      the directory, else the one that it was started with; without a log its last 1000 losses are shown.
      """)

  @Argument(help: ArgumentHelp("Logs and run directories.", valueName: "run"))
  var runs: [String]

  @Option(parsing: .unconditional, help: ArgumentHelp("The page to write.", valueName: "file.html"))
  var output: String

  @Flag(help: "Replace what is there.")
  var overwrite = false

  func validate() throws {
    if let path = runs.first(where: { path in runs.count { $0 == path } > 1 }) {
      throw ValidationError("expected different runs, found \(path.shown) twice")
    }
  }

  func run() throws {
    try namingOverwrite {
      var file = try AtomicFile(path: output, overwrite: overwrite)
      let names = Self.names(of: runs)
      let shown = try zip(names, runs).map { name, path in
        (name: name, path: path, run: try ReportSource.run(at: path))
      }
      let page = ReportPage.bytes(ReportData.json(shown))
      try file.write(page)
      try file.commit()
      Console.print(
        "\(output.shown)  \(NumberText.count(runs.count, "run")), \(NumberText.bytes(page.count))")
    }
  }

  /// The names of the files, and the whole paths of those that would have the same.
  private static func names(of paths: [String]) -> [String] {
    let names = paths.map { path in
      let name = path.split(separator: "/").last.map(String.init) ?? path
      return name.hasSuffix(".jsonl") && name != ".jsonl" ? String(name.dropLast(6)) : name
    }
    let counts = Dictionary(grouping: names) { $0 }.mapValues(\.count)
    return zip(names, paths).map { counts[$0] == 1 ? $0 : $1 }
  }
}
