import GPT2
import Machine
import Terminal

/// Where a run's curves come from: a log, or a run directory and the log that belongs to it.
enum ReportSource {
  /// - Throws: `FormatError`, `RunError`.
  static func run(at path: String) throws -> ReportRun {
    let run = Directory.exists(at: path) ? try run(inDirectory: path) : try run(log: path)
    guard !run.isEmpty else {
      throw FormatError.mismatch(
        path: path, field: "the log", expected: "that of a run with a step or a validation",
        found: "one without any")
    }
    return run
  }

  private static let expected = "the log of a training run (gpt2 train --log) or a run directory"

  private static func run(log path: String) throws(FormatError) -> ReportRun {
    let file = try mapped(path)
    guard FileKind.detect(file) == .trainingLog else {
      let found = file.byteCount == 0 ? "empty" : FileKind.detect(file)?.name ?? "something else"
      throw .mismatch(path: path, field: "the file", expected: expected, found: found)
    }
    var run = ReportRun()
    if try TrainingLogFile.read(path: path, { run.add($0) }) {
      Console.printWarning("\(path): the last line is cut off and left out")
    }
    return run
  }

  private static func run(inDirectory path: String) throws -> ReportRun {
    let logs = try Directory.names(in: path).map { path + "/" + $0 }.filter {
      FileStatus.kind(at: $0) == .regular && FileKind.detect(path: $0) == .trainingLog
    }
    if logs.count == 1 { return try run(log: logs[0]) }
    guard logs.isEmpty else {
      throw FormatError.invalid(
        path: path,
        reason: """
          expected one log in the directory, found \(NameText.list(logs, of: "log").shown): name the logs themselves
          """)
    }
    guard let step = try Run.newest(in: path).step else {
      throw FormatError.mismatch(path: path, field: "the directory", expected: Self.expected, found: "none")
    }
    if let run = try run(logOf: step, path) { return run }
    Console.printWarning(
      "\(path): no log of the run is there, so that only the last \(TrainingProgress.keptLosses) losses are shown"
    )
    return try ReportRun(step)
  }

  /// By the log that the run was started with: by its name, or where it lies beside the run directory.
  private static func run(logOf step: RunStep, _ path: String) throws -> ReportRun? {
    guard let log = try Train.parse(step.arguments).log else { return nil }
    let name = String(log.dropFirst(Directory.prefix(of: log).count))
    for place in [log, Directory.parent(of: path) + "/" + name]
    where FileKind.detect(path: place) == .trainingLog {
      let run = try run(log: place)
      // Another run's may have the name by now.
      if run.has(step.progress.trainingLosses.last) { return run }
    }
    return nil
  }
}

extension ReportRun {
  /// What a kept step knows: its last losses and the options.
  fileprivate init(_ step: RunStep) throws(FormatError) {
    self.init(
      losses: step.progress.trainingLosses, validationLosses: step.progress.validationLosses,
      options: try step.options())
  }
}
