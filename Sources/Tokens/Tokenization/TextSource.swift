import Foundation
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

  public var byteCount: Int { version.byteCount }

  /// A name that ends in `.jsonl` says JSON lines, any other one text.
  ///
  /// - Throws: `FormatError.file` where it is not a readable regular file.
  public init(path: String) throws(FormatError) {
    self.path = path
    kind = path.lowercased().hasSuffix(".jsonl") ? .jsonLines : .text
    do { version = try FileReader(path: path).version } catch { throw .file(error) }
  }

  /// The files at `paths` in their order; for a folder, those in it and below whose names end in `.txt` or
  /// `.jsonl`, in the order of the UTF-8 bytes of their paths. Hidden ones are left out, and links to folders
  /// not followed.
  ///
  /// - Throws: `FormatError`: a file or a folder that cannot be read, or a folder without any such file.
  public static func find(_ paths: [String]) throws(FormatError) -> [TextSource] {
    var sources: [TextSource] = []
    for path in paths {
      for file in try files(at: path) { sources.append(try TextSource(path: file)) }
    }
    return sources
  }

  private static func files(at path: String) throws(FormatError) -> [String] {
    // A folder that is named by a link is wanted all the same.
    let root = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
    // The second gives no paths, and no error, for a file.
    guard (try? FileManager.default.contentsOfDirectory(atPath: root)) != nil,
      let found = try? FileManager.default.subpathsOfDirectory(atPath: root)
    else { return [path] }
    let texts = found.filter { name in
      let isText = [".txt", ".jsonl"].contains { name.lowercased().hasSuffix($0) }
      return isText && !name.split(separator: "/").contains { $0.hasPrefix(".") }
    }
    guard !texts.isEmpty else {
      throw .mismatch(
        path: path, field: "the folder", expected: "one with .txt or .jsonl files in it or below",
        found: "without any")
    }
    let prefix = path.hasSuffix("/") ? path : path + "/"
    return texts.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }.map { prefix + $0 }
  }
}
