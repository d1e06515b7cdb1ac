import GPT2
import Machine
import Operators
import Terminal

/// `--trace`: who ran what, and when, in the first steps of a run.
///
/// Recorded in memory, whose size the recorder bounds, and written as soon as the steps are over or the run is.
final class TrainingTrace {
  static let steps = 10

  private let path: String
  private let context: ExecutionContext
  private let recorder: Recorder
  private var steps = 0
  private var isWritten = false

  /// - Throws: where the file exists or could not be written, before anything is computed.
  init(path: String, context: ExecutionContext) throws {
    (self.path, self.context) = (path, context)
    recorder = Recorder(slots: context.threads)
    do { _ = try AtomicFile(path: path) } catch FileError.exists(let path) { throw ExistsError(path: path) }
  }

  func begin() { context.recorder = recorder }

  /// - Throws: `FileError` where the trace cannot be written after all.
  func add(_ event: TrainingEvent) throws(FileError) {
    guard case .train = event, !isWritten else { return }
    steps += 1
    if steps == Self.steps { try finish() }
  }

  /// Writes what there is, unless it is written.
  ///
  /// - Throws: `FileError`.
  func finish() throws(FileError) {
    guard !isWritten else { return }
    context.recorder = nil
    isWritten = true
    var file = try AtomicFile(path: path)
    try TraceEvents(recorder, slots: context.parallel.slots).write(to: &file)
    try file.commit()
    Console.clearProgress()
    Console.print("trace of \(NumberText.count(steps, "step")) written to \(path.shown)")
  }
}

private struct ExistsError: Error, CustomStringConvertible {
  let path: String
  var description: String { "\(path): the trace should be a new file, but exists: move it or name another." }
}
