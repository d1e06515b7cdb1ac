import Foundation
import Testing

/// A browser without a window, where one is installed.
enum Browser {
  private static let program = ["chromium", "chromium-browser", "google-chrome"].map { "/usr/bin/" + $0 }
    .first {
      FileManager.default.isExecutableFile(atPath: $0)
    }
  static let isThere = program != nil
  static let reason = Comment("no Chromium in /usr/bin: 'apt-get install chromium' lets this test run")

  /// A page's elements once its scripts have run, followed by `script`.
  static func document(
    _ page: String, in directory: URL, script: String = "", columns: Int = 1200
  ) throws -> String {
    let text = page.replacing("</body>", with: "<script>\(script)</script></body>")
    try Data(text.utf8).write(to: directory.appending(path: "seen.html"))
    let run = try Executable.run(
      [
        "--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=2000",
        "--user-data-dir=\(directory.appending(path: "browser").path)", "--window-size=\(columns),900",
        "--dump-dom", "file://\(directory.appending(path: "seen.html").path)",
      ], in: directory, program: URL(filePath: try #require(program)), timeout: 120)
    #expect(run.output.hasPrefix("<!DOCTYPE html>"), "\(run.errors)")
    #expect(!run.errors.contains("Uncaught") && run.output.contains("role=\"alert\" hidden"), "\(run.errors)")
    return run.output
  }
}
