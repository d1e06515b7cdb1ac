import Foundation
import Synchronization

/// A reader of bytes from outside: it must return or throw, whatever the bytes.
struct FuzzParser: Sendable {
  /// What `scripts/fuzz` calls it.
  let name: String
  /// The folder in Tests/Fuzz/Corpus with the inputs that mutation starts from.
  let corpus: String
  /// Whether it reads a file of any size from end to end, a part at a time.
  var isStreaming = false
  let parse: @Sendable ([UInt8]) throws -> Void
}

/// A file in memory for a reader that takes a path: overwritten by each input, so that a million are cheap.
struct ScratchFile: Sendable {
  let path: String
  private let handle: FileHandle
  /// Whether every file is lengthened to 60 GB that hold nothing.
  static let areGiant = Atomic(false)
  private static let giantSize: UInt64 = 60_000_000_000

  /// In the folder of this process, below directories that are made where `name` has some.
  init(_ name: String) {
    let url = Self.directory.appending(path: name)
    do {
      try FileManager.default.createDirectory(
        at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
      try Data().write(to: url)
      handle = try FileHandle(forWritingTo: url)
    } catch { fatalError("the scratch file \(url.path) cannot be made: \(error)") }
    path = url.path
  }

  /// Makes `bytes` the file's whole content.
  func write(_ bytes: [UInt8]) {
    do {
      try handle.truncate(atOffset: 0)
      try handle.write(contentsOf: bytes)
      if Self.areGiant.load(ordering: .relaxed) { try handle.truncate(atOffset: Self.giantSize) }
    } catch { fatalError("the scratch file \(path) cannot be written: \(error)") }
  }

  /// Of this process, in memory where the system has such a folder; `scripts/fuzz` gives and removes it.
  static let directory: URL = {
    let given = ProcessInfo.processInfo.environment["FUZZ_SCRATCH"]
    let temporary = FileManager.default.temporaryDirectory.appending(path: "gpt2-fuzz")
    return given.map { URL(filePath: $0) } ?? temporary
  }()
}
