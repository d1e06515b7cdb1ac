import Foundation
import Machine
import TestSupport
import Testing
import Tokens

/// A file that changes while it is tokenized is told, whatever is made of it: changed by the report of what was done so
/// far, which comes between two segments.
@Suite struct ChangingFileTests {
  private static let count = 4 << 20

  private static func text(_ name: String) -> String {
    let line = name.hasSuffix("jsonl") ? "{\"text\": \"words of a line\"}\n" : "words of a line\n"
    return String(repeating: line, count: count / line.utf8.count)
  }

  private static let changes: [(name: String, change: @Sendable (FileHandle) throws -> Void)] = [
    ("shrinks", { try $0.truncate(atOffset: UInt64(count / 2)) }),
    ("is emptied", { try $0.truncate(atOffset: 0) }),
    ("grows", { try $0.truncate(atOffset: UInt64(2 * count)) }),
    (
      "is written anew",
      {
        try $0.write(contentsOf: Data("other".utf8))
        // The clock of the file system ticks every few milliseconds.
        Thread.sleep(forTimeInterval: 0.05)
        try $0.write(contentsOf: Data("other".utf8))
      }
    ),
  ]

  @Test(arguments: ["bytes.txt", "gpt2.txt", "characters.txt", "lines.jsonl"])
  func isAnError(name: String) throws {
    for change in Self.changes {
      let folder = try ScratchDirectory()
      let path = try folder.write(Array(Self.text(name).utf8), to: name)
      let tokenization = Tokenization(
        sources: try TextSource.find([path]), splitsAtBlankLines: false, parallel: Parallel(threads: 1))
      let tokenizer: Tokenizer
      switch name {
      case "gpt2.txt": tokenizer = try Tokenizer(path: try TestVocabulary.write(to: folder.path))
      case "characters.txt": tokenizer = try tokenization.characters()
      default: tokenizer = .bytes
      }
      try FileManager.default.createDirectory(atPath: folder.path + "/out", withIntermediateDirectories: true)
      var isChanged = false
      let found = sentence {
        _ = try tokenization.write(
          .init(directory: folder.path + "/out", name: "x", validation: .fraction(0.1)),
          kind: name == "gpt2.txt" ? .gpt2 : name == "characters.txt" ? .characters : .bytes,
          encoder: try TextEncoder(tokenizer)
        ) { _ in
          if !isChanged, let file = FileHandle(forUpdatingAtPath: path) { try? change.change(file) }
          isChanged = true
        }
      }
      #expect(isChanged)
      #expect(
        found?.hasPrefix("\(path) should stay as it is while it is read, but was changed meanwhile") == true,
        "\(change.name): \(found ?? "accepted")")
      #expect(
        try FileManager.default.contentsOfDirectory(atPath: folder.path + "/out") == [], "\(change.name)")
    }
  }

  /// The vocabulary is that of what was read first.
  @Test func charactersOfAnotherTextAreNotTaken() throws {
    let folder = try ScratchDirectory()
    let path = try folder.write(Array("abc".utf8), to: "a.txt")
    let tokenization = Tokenization(
      sources: try TextSource.find([path]), splitsAtBlankLines: false, parallel: Parallel(threads: 1))
    let encoder = try TextEncoder(try tokenization.characters())
    try folder.write(Array("abca".utf8), to: "a.txt")
    #expect(
      sentence {
        _ = try tokenization.write(
          .init(directory: folder.path, name: "x", validation: .fraction(0)), kind: .characters,
          encoder: encoder)
      } == "\(path) should stay as it is while it is read, but was changed meanwhile, from 3 bytes to 4.")
  }
}
