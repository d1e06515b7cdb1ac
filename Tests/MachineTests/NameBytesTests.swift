import Machine
import Testing

@Suite struct NameBytesTests {
  /// Every sequence of up to two bytes, and the limits of longer ones: what comes back is what went in, and no two names
  /// are the same text.
  @Test func everyNameHasATextOfItsOwn() {
    var names: [[UInt8]] = [[]]
    for first in UInt8.min...UInt8.max {
      names.append([first])
      for second in UInt8.min...UInt8.max { names.append([first, second]) }
    }
    names += [
      [0xED, 0xA0, 0x80], [0xF4, 0x8F, 0xBF, 0xBF], [0xF4, 0x90, 0x80, 0x80],
      [0xC3, 0xA9, 0xFF],
      // The scalars that stand for bytes, as they may be in a name themselves.
      [0xF4, 0x8F, 0xBA, 0x80], [0xF4, 0x8F, 0xBB, 0xBF], [0xF4, 0x8F, 0xB9, 0xBF], [0xF4, 0x8F, 0xBC, 0x80],
    ]
    var texts: Set<[UInt8]> = []
    for name in names {
      let text = String(nameBytes: name)
      #expect(text.nameBytes == name, "\(name)")
      texts.insert(Array(text.utf8))
    }
    #expect(texts.count == names.count)
  }

  @Test func whatIsUTF8IsTheSameText() {
    for text in ["", "a/b.bin", "Übung – 数据 😀"] {
      #expect(String(nameBytes: Array(text.utf8)) == text && text.nameBytes == Array(text.utf8))
      #expect(text.shown == text)
    }
  }

  @Test func shownInOneLineThatSteersNothing() {
    #expect(String(nameBytes: [0x6F, 0xFF]).shown == #"o\xFF"#)
    #expect("a\nb\r\t\u{1B}[31m\u{7F}".shown == #"a\nb\r\t\x1B[31m\x7F"#)
    #expect("\u{85}\u{2028}\u{202E}x".shown == #"\u{85}\u{2028}\u{202E}x"#)
  }
}
