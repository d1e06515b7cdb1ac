import Machine

/// A file of text to be tokenized.
public struct TextSource: Sendable, Equatable {
  public enum Kind: Sendable {
    /// One document, or one a blank line.
    case text
    /// An object a line, whose member "text" is a document.
    case jsonLines
  }

  public let path: String
  public let kind: Kind
  /// What the file was when it was found; whoever reads it reads that.
  let version: FileVersion

  /// Of a byte order mark at its beginning, which is no text: 3, or 0.
  let markSize: Int

  /// Of the text: the file's without a mark.
  public var byteCount: Int { max(0, version.byteCount - markSize) }
  /// Whether a byte order mark was left out.
  public var hasMark: Bool { markSize > 0 }

  /// A name that ends in `.jsonl` says JSON lines, any other one text.
  ///
  /// - Throws: `FormatError`: it is not a readable regular file, or begins as no text does.
  public init(path: String) throws(FormatError) {
    self.path = path
    kind = path.lowercased().hasSuffix(".jsonl") ? .jsonLines : .text
    do { version = try FileReader(path: path).version } catch { throw .file(error) }
    let file = try mapped(path)
    try FileKind.refuse(file, expected: "text", of: FileKind.unlikeText)
    markSize = FileKind.detect(file) == .utf8Mark ? 3 : 0
  }

  /// The files at `paths` in their order; for a folder, those in it and below whose names end in `.txt` or
  /// `.jsonl`, in the order of the bytes of their paths. `DirectoryTree` says what is looked at.
  ///
  /// - Parameter passedOver: gets what cannot be read in a folder, and what has such a name and is no file.
  /// - Throws: `FormatError`: one of `paths` that cannot be read, or a folder without any such file.
  public static func find(
    _ paths: [String], passedOver: ([FileError]) -> Void = { _ in }
  ) throws(FormatError) -> [TextSource] {
    var sources: [TextSource] = []
    for path in paths {
      if Directory.exists(at: path) {
        sources += try find(inFolder: path, passedOver)
      } else {
        sources.append(try TextSource(path: path))
      }
    }
    return sources
  }

  private static func find(
    inFolder path: String, _ passedOver: ([FileError]) -> Void
  ) throws(FormatError) -> [TextSource] {
    let tree: DirectoryTree
    do { tree = try DirectoryTree(path: path) } catch { throw .file(error) }
    func isText(_ name: String) -> Bool {
      [".txt", ".jsonl"].contains { name.lowercased().hasSuffix($0) }
    }
    // A folder of such a name is looked into.
    let others = tree.others.filter { other in
      if case .notRegularFile = other.error { isText(other.path) } else { false }
    }
    passedOver(tree.passedOver + others.map(\.error))
    let prefix = path.hasSuffix("/") ? path : path + "/"
    var sources: [TextSource] = []
    for name in tree.files where isText(name) {
      do { sources.append(try TextSource(path: prefix + name)) } catch .file(let error) {
        passedOver([error])
      }
    }
    guard !sources.isEmpty else {
      throw .mismatch(
        path: path, field: "the folder", expected: "one with .txt or .jsonl files in it or below",
        found: "without any")
    }
    return sources
  }
}
