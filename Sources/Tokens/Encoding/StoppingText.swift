/// Text that continues a prompt token by token, in whole characters, and ends before the first stop string.
///
/// What may still become a stop string is held back. The strings given out, joined, are the text up to the stop string,
/// or all of it where none comes.
public struct StoppingText: Sendable {
  /// What was given out.
  public private(set) var text = ""
  /// Whether a stop string has come; nothing is given out any more.
  public private(set) var isStopped = false

  private var stream: TextStream
  /// Of whole characters. Bytes, because a letter is the beginning of the same letter with an accent, but not of the
  /// character that people see.
  private var held: [UInt8] = []
  private let stops: [[UInt8]]

  /// - Parameters:
  ///   - prompt: what is there already. It is not looked at for stop strings, but its last bytes may open a character.
  ///   - stops: none is empty.
  public init(tokenizer: Tokenizer, after prompt: [Int32] = [], stops: [String] = []) {
    precondition(!stops.contains(""), "a stop string should not be empty")
    var stream = TextStream(tokenizer: tokenizer)
    for token in prompt { _ = stream.push(token) }
    self.stream = stream
    self.stops = stops.map { Array($0.utf8) }
  }

  /// The text that `token` lets out.
  public mutating func push(_ token: Int32) -> String {
    guard !isStopped else { return "" }
    held += stream.push(token).utf8
    return release(all: false)
  }

  /// What is left at the end, an unfinished character as U+FFFD.
  public mutating func finish() -> String {
    guard !isStopped else { return "" }
    held += stream.finish().utf8
    return release(all: true)
  }

  private mutating func release(all: Bool) -> String {
    var count = held.count
    if let first = stops.compactMap({ held.firstRange(of: $0)?.lowerBound }).min() {
      isStopped = true
      count = first
    } else if !all {
      count -= longestBeginningOfAStop()
    }
    let out = String(decoding: held[..<count], as: UTF8.self)
    held.removeFirst(isStopped ? held.count : count)
    text += out
    return out
  }

  /// Bytes at the end of what is held that a stop string begins with: whole characters, as both are UTF-8.
  private func longestBeginningOfAStop() -> Int {
    stops.reduce(0) { longest, stop in
      let lengths = (0...min(stop.count - 1, held.count)).reversed()
      return max(longest, lengths.first { stop.starts(with: held.suffix($0)) } ?? 0)
    }
  }
}
