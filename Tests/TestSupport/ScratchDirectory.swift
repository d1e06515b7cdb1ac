import Foundation

/// A directory of one test's own, removed with the last reference.
public final class ScratchDirectory {
  public let path: String

  public init() throws {
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent("gpt2-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    path = directory.path
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  /// Writes a file, with the directories on its way, and returns its path.
  @discardableResult
  public func write(_ bytes: [UInt8], to name: String = "file.bin") throws -> String {
    let url = URL(fileURLWithPath: path).appendingPathComponent(name)
    try FileManager.default.createDirectory(
      at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
    try Data(bytes).write(to: url)
    return url.path
  }
}
