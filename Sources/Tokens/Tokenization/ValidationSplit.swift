import Machine

/// How much of the tokens is for validation.
public enum ValidationShare: Sendable, Equatable {
  /// So many.
  case tokens(Int)
  /// Those of a part of the input's bytes: 0 ≤ fraction < 1.
  case fraction(Double)
}

/// Where in the input the tokens for validation are.
public enum ValidationPlace: String, Sendable, CaseIterable {
  case start, end
}

/// Hands tokens on to training and validation as they come.
struct ValidationSplit {
  private let share: ValidationShare
  private let place: ValidationPlace
  private let byteCount: Int
  /// Tokens of which the last ones may be the last of all: at most twice as many as those, and some.
  private var held: [Int32] = []
  private static let mostHeld = 1 << 20

  init(_ share: ValidationShare, at place: ValidationPlace, byteCount: Int) {
    self.share = share
    self.place = place
    self.byteCount = byteCount
  }

  /// Where the text is to be cut, in bytes from its start, so that no segment is of both: as nanoGPT cuts a text, whose
  /// parts are encoded by themselves.
  var cut: Int? {
    guard place == .end, case .fraction(let fraction) = share else { return nil }
    return Int(Double(byteCount) * (1 - fraction))
  }

  /// - Parameter bytesBefore: those of the segments before it.
  mutating func add(_ segment: TextSegment, bytesBefore: Int, to writer: TokenWriter) throws(FileError) {
    switch (place, share) {
    case (.start, .tokens(let count)):
      let first = min(segment.tokens.count, count - writer.validationCount)
      try write(segment.tokens, validation: first, writer)
    case (.start, .fraction(let fraction)):
      let part = Double(Int(Double(byteCount) * fraction) - bytesBefore) / Double(segment.bytes.count)
      let first = Int(Double(segment.tokens.count) * min(max(part, 0), 1))
      try write(segment.tokens, validation: first, writer)
    case (.end, .fraction):
      try writer.write(segment.tokens[...], validation: segment.isBehindCut)
    case (.end, .tokens(let count)):
      held += segment.tokens
      if held.count - count > max(count, Self.mostHeld) {
        try writer.write(held.dropLast(count), validation: false)
        held.removeFirst(held.count - count)
      }
    }
  }

  /// Hands on what is left at the end.
  mutating func finish(_ writer: TokenWriter) throws(FileError) {
    guard case .tokens(let count) = share, place == .end else { return }
    try writer.write(held.dropLast(count), validation: false)
    try writer.write(held.suffix(count), validation: true)
    held = []
  }

  private func write(_ tokens: [Int32], validation: Int, _ writer: TokenWriter) throws(FileError) {
    try writer.write(tokens[..<validation], validation: true)
    try writer.write(tokens[validation...], validation: false)
  }
}
