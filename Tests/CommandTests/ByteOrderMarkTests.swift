import Foundation
import TestSupport
import Testing

/// A byte order mark at the beginning of a text is none of it.
@Suite struct ByteOrderMarkTests {
  /// It is left out, and said; the share of validation and errors' places do not mind.
  @Test(arguments: ["bytes", "characters"]) func byteOrderMarks(vocabulary: String) throws {
    try TemporaryDirectory.with { folder in
      func run(_ mark: [UInt8], _ name: String, _ place: String) throws -> (Run, [Data]) {
        try HuggingFaceFiles.write(mark + Array("a text of words\n\nand more".utf8), to: "t.txt", in: folder)
        try HuggingFaceFiles.write(mark + Array("{\"text\": \"words\"}\n".utf8), to: "t.jsonl", in: folder)
        let run = try Executable.run(
          [
            "tokenize", "t.jsonl", "t.txt", "--vocabulary", vocabulary, "--output-directory", name, "--name",
            "x",
            "--val-fraction", "0.3", "--val-from", place, "--split-at", "blank-lines",
          ], in: folder)
        #expect(run.exitCode == 0, "\(run.errors)")
        return (
          run,
          try ["train", "val"].map { try Data(contentsOf: folder.appending(path: "\(name)/x_\($0).bin")) }
        )
      }
      for place in ["start", "end"] {
        let (plain, marked) = (
          try run([], "plain-" + place, place), try run([0xEF, 0xBB, 0xBF], place, place)
        )
        #expect(marked.1 == plain.1)
        #expect(!plain.0.output.contains("left out"))
        #expect(
          marked.0.output.contains("left out    the byte order mark at the beginning of 2 files\n"),
          "\(marked.0.output)")
      }
      try HuggingFaceFiles.write([0xEF, 0xBB, 0xBF, 0x61, 0xFF], to: "bad.txt", in: folder)
      if vocabulary == "characters" {
        expectRefusal(
          try Executable.run(
            ["tokenize", "bad.txt", "--vocabulary", vocabulary, "--output-directory", "o", "--name", "x"],
            in: folder), "bad.txt", "byte 255 at byte 4")
      }
    }
  }
}
