import Foundation
import TestSupport
import Testing
import Tokens

/// Against the Python module `regex`: scripts/make_text_fixture.py.
@Suite struct PieceScannerTests {
  @Test func textsAreCutAsThePatternCutsThem() throws {
    struct Case: Decodable {
      let text: String
      let pieces: [Int]
    }
    let lines = try String(contentsOf: Fixtures.url("text/pieces.jsonl"), encoding: .utf8).split(
      separator: "\n")
    #expect(lines.count == 400)
    for line in lines {
      let item = try JSONDecoder().decode(Case.self, from: Data(line.utf8))
      let bytes = Array(item.text.utf8)
      // What the text lies in must not matter: behind others, words of eight bytes reach beyond the piece.
      for padding in [0, 7, 30] {
        let text = bytes + [UInt8](repeating: 0, count: padding)
        var (lengths, start) = ([Int](), 0)
        let span = padding == 0 ? bytes.span : text.span
        while start < bytes.count {
          let end = PieceScanner.end(in: span.extracting(first: bytes.count), from: start)
          lengths.append(end - start)
          start = end
        }
        #expect(lengths == item.pieces, "\(item.text.debugDescription)")
      }
    }
  }

  /// Scalars that the fixture's Unicode 17 or the runtime's does not know yet are passed over.
  @Test func classesAreThoseOfThePattern() throws {
    let lines = try String(contentsOf: Fixtures.url("text/classes.txt"), encoding: .utf8).split(
      separator: "\n")
    let runs = try lines.map { line in
      let parts = line.split(separator: " ")
      return (start: try #require(UInt32(parts[0], radix: 16)), name: parts[1])
    }
    let classes: [Substring: ScalarClass] = ["l": .letter, "n": .number, "s": .whitespace, "o": .other]
    var (index, compared, different) = (0, 0, [UInt32]())
    for value in UInt32(0)...0x10FFFF {
      while index + 1 < runs.count, runs[index + 1].start <= value { index += 1 }
      guard let scalar = Unicode.Scalar(value), let age = scalar.properties.age, age.major <= 17 else {
        continue
      }
      compared += 1
      if ScalarClass(scalar) != classes[runs[index].name] { different.append(value) }
    }
    #expect(compared > 140_000)
    #expect(different.isEmpty)
  }

  @Test func bytesThatAreNoUTF8AreOtherCharacters() {
    // A cut sequence, a lone one, an overlong form, a surrogate, beyond the last scalar.
    for bytes in [[0xC3], [0x80], [0xC0, 0xAF], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80]] as [[UInt8]] {
      let text = [0x61] + bytes + [0x62]
      var (ends, start) = ([Int](), 0)
      while start < text.count {
        start = PieceScanner.end(in: text.span, from: start)
        ends.append(start)
      }
      #expect(ends == [1, 1 + bytes.count, 2 + bytes.count], "\(bytes)")
    }
  }
}
