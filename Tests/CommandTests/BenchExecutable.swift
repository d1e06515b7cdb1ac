import Foundation
import TestSupport
import Testing

/// The built `gpt2-bench`, which lies beside the test bundle.
enum Bench {
  /// A model so small that a run is all overhead, with a vocabulary that needs padding.
  static let small = [
    "--quick", "--layers", "2", "--heads", "2", "--channels", "32", "--vocabulary", "100", "--context", "32",
    "--batch-size", "2", "--sequence-length", "16", "--steps", "2",
  ]

  struct Run {
    let status: Int32
    let output: String
    let error: String
  }

  /// Ready to be started.
  static func process(_ arguments: [String], environment: [String: String] = [:]) -> Process {
    let process = Process()
    // Beside the tests' own executable: the same build.
    process.executableURL = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
      .deletingLastPathComponent().appending(path: "gpt2-bench")
    process.arguments = arguments
    var variables = ProcessInfo.processInfo.environment
    variables["GPT2_ISA"] = nil
    process.environment = variables.merging(environment) { $1 }
    return process
  }

  static func run(_ arguments: [String], environment: [String: String] = [:]) throws -> Run {
    try TemporaryDirectory.with { folder in
      // Files, not pipes: nobody has to empty them while the program runs.
      let files = try ["output", "error"].map { name in
        let url = folder.appending(path: name)
        try Data().write(to: url)
        return (url, try FileHandle(forWritingTo: url))
      }
      let process = process(arguments, environment: environment)
      process.standardOutput = files[0].1
      process.standardError = files[1].1
      try process.run()
      process.waitUntilExit()
      let texts = try files.map { String(decoding: try Data(contentsOf: $0.0), as: UTF8.self) }
      return Run(status: process.terminationStatus, output: texts[0], error: texts[1])
    }
  }

  /// The JSON that a run writes, and its tables.
  static func report(
    _ arguments: [String], environment: [String: String] = [:]
  ) throws -> (json: [String: Any], output: String) {
    try TemporaryDirectory.with { folder in
      let file = folder.appending(path: "results.json")
      let run = try run(arguments + ["--json", file.path], environment: environment)
      try #require(run.status == 0, "\(run.error)")
      #expect(run.error.isEmpty, "no progress where nobody looks")
      let object = try JSONSerialization.jsonObject(with: Data(contentsOf: file))
      return (try #require(object as? [String: Any]), run.output)
    }
  }

  static func number(_ object: [String: Any], _ name: String) throws -> Double {
    try #require(object[name] as? NSNumber, "\(name)").doubleValue
  }
}
