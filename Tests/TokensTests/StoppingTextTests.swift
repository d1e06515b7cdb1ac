import TestSupport
import Testing
import Tokens

@Suite struct StoppingTextTests {
  /// Gives each byte by itself, the smallest tokens there are.
  private func pieces(
    _ text: String, after prompt: [UInt8] = [], stops: [String]
  ) -> (pieces: [String], stopped: Bool) {
    var stream = StoppingText(tokenizer: .bytes, after: prompt.map { Int32($0) }, stops: stops)
    var pieces = text.utf8.map { stream.push(Int32($0)) }
    pieces.append(stream.finish())
    let whole = pieces.joined()
    #expect(Array(whole.utf8) == Array(stream.text.utf8))
    return (pieces, stream.isStopped)
  }

  private func text(_ text: String, stops: [String]) -> String {
    pieces(text, stops: stops).pieces.joined()
  }

  @Test func withoutStopStringsCharactersComeWhole() {
    let (pieces, stopped) = pieces("aé€😀b", stops: [])
    #expect(pieces == ["a", "", "é", "", "", "€", "", "", "", "😀", "b", ""])
    #expect(!stopped)
  }

  @Test func theTextEndsBeforeTheStop() {
    let (pieces, stopped) = pieces("one STOP two", stops: ["STOP"])
    #expect(pieces.joined() == "one " && stopped)
    // What may become the stop waits, and nothing else does.
    #expect(pieces.prefix(5) == ["o", "n", "e", " ", ""])
    #expect(text("STOP", stops: ["STOP"]) == "")
    #expect(text("x", stops: ["x", "y"]) == "")
  }

  @Test func aBeginningThatIsNeverCompletedComesOut() {
    #expect(pieces("abaabc", stops: ["aabx"]).pieces == ["", "ab", "", "", "", "aabc", ""])
    #expect(text("ST", stops: ["STOP"]) == "ST")
    #expect(text("STOSTOP", stops: ["STOP"]) == "STO")
    #expect(text("aaab!", stops: ["aab"]) == "a")
  }

  @Test func theFirstOfSeveralCounts() {
    #expect(text("abcdef", stops: ["e", "cd"]) == "ab")
    #expect(text("abcdef", stops: ["bcdx", "d"]) == "abc")
    #expect(text("abc", stops: ["abc", "b"]) == "a", "the one that is complete first")
  }

  /// Tokens of several bytes: the stop lies across two, or in the middle of one, with text before it.
  @Test func tokensMayHoldMoreThanTheStop() {
    let tokens = ["Hel", "lo, wor", "ld\nQ", ": next"].map { Array($0.utf8) }
    let tokenizer = Tokenizer(tokens: tokens + [Array("<|endoftext|>".utf8)], endOfText: 4)
    func text(_ stops: String...) -> [String] {
      var stream = StoppingText(tokenizer: tokenizer, stops: stops)
      return (0..<4).map { stream.push(Int32($0)) } + [stream.finish()]
    }
    #expect(text("\nQ:") == ["Hel", "lo, wor", "ld", "", ""])
    #expect(text(", ") == ["Hel", "lo", "", "", ""])
    #expect(text("world") == ["Hel", "lo, ", "", "", ""])
    #expect(text("Q?") == ["Hel", "lo, wor", "ld\n", "Q: next", ""])
  }

  /// Letters and accents are scalars of their own: a stop that people take for another character is found all the
  /// same, as is a line feed behind a carriage return, which Swift holds for one character.
  @Test func scalarsAreCompared() {
    #expect(text("a\r\nb", stops: ["\n"]) == "a\r")
    #expect(text("cafe\u{301} x", stops: ["e"]) == "caf")
    #expect(text("caf\u{E9} x", stops: ["e\u{301}"]) == "caf\u{E9} x")
    #expect(text("è é", stops: ["é"]) == "è ")
    #expect(text("👩‍🚀!", stops: ["🚀"]) == "👩\u{200D}")
  }

  @Test func unfinishedCharactersComeAtTheEnd() {
    var stream = StoppingText(tokenizer: .bytes, stops: ["é"])
    #expect(stream.push(0x61) == "a" && stream.push(0xC3) == "" && stream.finish() == "\u{FFFD}")
    #expect(stream.text == "a\u{FFFD}" && !stream.isStopped)
  }

  /// A prompt may end within a character, and is not looked at for stops.
  @Test func thePromptsLastCharacterIsFinished() {
    var stream = StoppingText(tokenizer: .bytes, after: [0x78, 0xC3], stops: ["x"])
    #expect(stream.push(0xA9) == "é" && stream.push(0x78) == "" && stream.isStopped)
  }

  @Test func nothingComesAfterTheStop() {
    var stream = StoppingText(tokenizer: .bytes, stops: ["b"])
    #expect("abc".utf8.map { stream.push(Int32($0)) } == ["a", "", ""])
    #expect(stream.finish() == "" && stream.text == "a")
  }

  @Test func textSizes() {
    #expect(Tokenizer.bytes.textSizes == [Int](repeating: 1, count: 256) + [0])
    #expect(Tokenizer.bytes.separatesTexts)
    let letters = Tokenizer.characters("aé\n".unicodeScalars)
    #expect(letters.textSizes == [1, 1, 2] && !letters.separatesTexts)
  }
}
