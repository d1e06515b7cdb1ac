import Machine

/// The git checkout in which the program was built.
enum Checkout {
  private static let longestFile = 16 << 20

  /// Its commit, as it is now, forty or more hexadecimal digits; nil where the program lies elsewhere.
  static var commit: String? {
    guard let program = FileLink.resolved("/proc/self/exe") else { return nil }
    var names = program.split(separator: "/")
    while names.popLast() != nil {
      let place = "/" + names.joined(separator: "/")
      guard FileStatus.kind(at: place + "/.git") != nil else { continue }
      // Somebody's home may be a repository, too.
      guard Directory.exists(at: place + "/Benchmarks/GPT2Bench") else { return nil }
      return commit(at: place)
    }
    return nil
  }

  private static func commit(at place: String) -> String? {
    var git = place + "/.git"
    // A further working tree of a repository says where it is.
    if let link = value(after: "gitdir: ", in: text(git)) {
      git = link.hasPrefix("/") ? link : place + "/" + link
    }
    guard let head = text(git + "/HEAD") else { return nil }
    guard let name = value(after: "ref: ", in: head) else { return head }
    let common = text(git + "/commondir").map { $0.hasPrefix("/") ? $0 : git + "/" + $0 } ?? git
    for folder in [git, common] { if let commit = text(folder + "/" + name) { return commit } }
    let packed = text(common + "/packed-refs")?.split(separator: "\n").first { $0.hasSuffix(" " + name) }
    return packed.map { String($0.prefix { $0 != " " }) }
  }

  private static func value(after key: String, in text: String?) -> String? {
    guard let text, text.hasPrefix(key) else { return nil }
    return String(text.dropFirst(key.count))
  }

  /// Without the line feed at its end.
  private static func text(_ path: String) -> String? {
    guard let file = try? FileReader(path: path) else { return nil }
    var bytes: [UInt8] = []
    guard (try? file.read(appendingTo: &bytes, limit: min(longestFile, file.version.byteCount))) != nil else {
      return nil
    }
    if bytes.last == UInt8(ascii: "\n") { bytes.removeLast() }
    return String(decoding: bytes, as: UTF8.self)
  }
}
