import CLinux

/// The text files of sysfs and procfs, below a root that tests can put elsewhere.
///
/// Nothing here fails: a file that is missing, unreadable, too long or garbled is `nil`.
struct SystemFiles: Sendable {
  /// Without a slash at its end; empty for the machine itself.
  var root = ""

  /// The text of a file, without spaces and line feeds around it. `path` has no slash at its start.
  func text(_ path: String) -> String? {
    guard let file = try? FileDescriptor(path: "\(root)/\(path)", mode: CLINUX_READ),
      let bytes = (try? file.readAll(limit: 16 << 20)) ?? nil,
      let text = String(validating: bytes, as: UTF8.self)
    else { return nil }
    return String(text.drop { $0.isWhitespace }.reversed().drop { $0.isWhitespace }.reversed())
  }

  /// A file that holds one integer.
  func integer(_ path: String) -> Int? {
    text(path).flatMap { Int($0) }
  }

  /// A file that holds a list such as `0-3,8`: ascending, each number once.
  func list(_ path: String) -> [Int]? {
    text(path).flatMap { Self.list($0) }
  }

  static func list(_ text: String) -> [Int]? {
    var numbers: Set<Int> = []
    for part in text.split(separator: ",") {
      let bounds = part.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
      guard let first = bounds[0], let last = bounds[bounds.count - 1], bounds.count <= 2 else { return nil }
      // No machine has more CPUs; a garbled bound must not fill the memory.
      guard first >= 0, first <= last, last < 1 << 16 else { return nil }
      numbers.formUnion(first...last)
    }
    return numbers.sorted()
  }

  /// The value of a line such as `MemTotal:  24684084 kB` or `inactive_file 4096`, given the name before it.
  static func value(of name: String, in text: String) -> Int? {
    for line in text.split(separator: "\n") {
      let words = line.split { $0 == " " || $0 == "\t" || $0 == ":" }
      if words.count >= 2, words[0] == name { return Int(words[1]) }
    }
    return nil
  }
}
