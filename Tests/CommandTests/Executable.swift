import Foundation
import Testing

/// What a run of `gpt2` left behind.
struct Run {
  let exitCode: Int32
  let output: String
  let errors: String
  /// The lines of `errors`.
  var errorLines: [Substring] { errors.split(separator: "\n") }
  /// The lines of `output`.
  var lines: [Substring] { output.split(separator: "\n") }
}

/// The built program, which lies beside the test bundle.
enum Executable {
  static let url = URL(filePath: CommandLine.arguments[0]).resolvingSymlinksInPath()
    .deletingLastPathComponent().appending(path: "gpt2")

  /// Runs `gpt2` with `arguments` in `directory` and waits for its end.
  ///
  /// - Parameters:
  ///   - isa: the value of GPT2_ISA; nil: not set.
  ///   - input: what standard input holds; nil: nothing.
  ///   - timeout: seconds after which the process is ended and the test fails.
  static func run(
    _ arguments: [String], in directory: URL, isa: String? = nil, input: [UInt8]? = nil, program: URL = url,
    timeout: Double = 60
  ) throws -> Run {
    let files = try ["out", "err", "in"].map { name in
      // Files and not pipes: nothing waits for a reader. Hidden, so that they are no data.
      let url = directory.appending(path: ".run-\(UUID().uuidString).\(name)")
      try Data(name == "in" ? input ?? [] : []).write(to: url)
      return url
    }
    defer { for file in files { try? FileManager.default.removeItem(at: file) } }
    let process = Process()
    process.executableURL = program
    process.arguments = arguments
    process.currentDirectoryURL = directory
    var environment = ProcessInfo.processInfo.environment
    environment["GPT2_ISA"] = isa
    process.environment = environment
    process.standardInput =
      input == nil ? FileHandle.nullDevice : try FileHandle(forReadingFrom: files[2])
    process.standardOutput = try FileHandle(forWritingTo: files[0])
    process.standardError = try FileHandle(forWritingTo: files[1])
    try process.run()
    let limit = ContinuousClock.now + .seconds(timeout)
    while process.isRunning {
      if ContinuousClock.now > limit {
        process.terminate()
        Issue.record("gpt2 \(arguments) ran for more than \(timeout) s")
        break
      }
      Thread.sleep(forTimeInterval: 0.002)
    }
    process.waitUntilExit()
    let texts = try files.prefix(2).map { String(decoding: try Data(contentsOf: $0), as: UTF8.self) }
    return Run(exitCode: process.terminationStatus, output: texts[0], errors: texts[1])
  }
}

extension Executable {
  /// Runs a script of bash, to which `"$0"` is `gpt2`.
  static func shell(_ script: String, in directory: URL, timeout: Double = 60) throws -> Run {
    try run(["-c", script, url.path], in: directory, program: URL(filePath: "/bin/bash"), timeout: timeout)
  }

  /// Starts `gpt2` with `arguments` in `directory`, its output thrown away, and does not wait.
  static func start(_ arguments: [String], in directory: URL) throws -> Process {
    let process = Process()
    process.executableURL = url
    process.arguments = arguments
    process.currentDirectoryURL = directory
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    try process.run()
    return process
  }
}

/// Expects a failure with exactly one sentence on standard error that has `fragments` in it.
func expectRefusal(
  _ run: Run, exitCode: Int32 = 1, _ fragments: String..., location: SourceLocation = #_sourceLocation
) {
  #expect(run.exitCode == exitCode, "\(run.errors)", sourceLocation: location)
  #expect(run.errorLines.count == 1, "\(run.errors)", sourceLocation: location)
  #expect(
    run.errors.hasPrefix("error: ") && run.errors.hasSuffix(".\n"), "\(run.errors)", sourceLocation: location)
  let sentences = run.errors.replacing(/\.\n$/, with: "").matches(of: /\.\s/).count + 1
  #expect(sentences == 1, "\(run.errors)", sourceLocation: location)
  for fragment in fragments {
    #expect(run.errors.contains(fragment), "\(run.errors)", sourceLocation: location)
  }
}
