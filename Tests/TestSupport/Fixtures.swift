import Foundation

/// Where the tests' files lie, found from the place of this source file.
public enum Fixtures {
  /// The root of the package.
  public static let packageRoot = URL(filePath: #filePath, directoryHint: .notDirectory)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

  /// Tests/Fixtures, committed and always there.
  public static let directory = packageRoot.appending(path: "Tests/Fixtures", directoryHint: .isDirectory)

  /// Inputs beside the package that are not part of it; may be absent.
  public static let shared = packageRoot.deletingLastPathComponent()
    .appending(path: "shared", directoryHint: .isDirectory)

  /// A file or folder in Tests/Fixtures.
  public static func url(_ path: String) -> URL { directory.appending(path: path) }

  /// A file or folder beside the package, nil where it is absent.
  public static func sharedURL(_ path: String) -> URL? {
    let url = shared.appending(path: path)
    return FileManager.default.fileExists(atPath: url.path) ? url : nil
  }
}

/// A folder for the files of one test.
public enum TemporaryDirectory {
  /// Makes an empty folder, runs `body` with it, and removes it with all that is in it, also after an error.
  public static func with<Result>(_ body: (URL) throws -> Result) throws -> Result {
    let url = FileManager.default.temporaryDirectory
      .appending(path: "gpt2-tests-\(UUID().uuidString)", directoryHint: .isDirectory)
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: url) }
    return try body(url)
  }
}

/// Why a file of the tests could not be used.
public struct TestFileError: Error, CustomStringConvertible {
  public let description: String
  public init(_ description: String) { self.description = description }
}
