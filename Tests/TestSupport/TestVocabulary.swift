import Foundation

/// A byte-pair vocabulary small enough to merge by hand: the 256 bytes, some merges, the end of text.
public enum TestVocabulary {
  /// In their order, spelt as Hugging Face spells bytes: Ġ is a space.
  public static let merges = [
    "h e", "l l", "he ll", "hell o", "Ġ t", "Ġt he", "a a", "aa aa", "i n", "in g", "Ã ©", "Ġ w", "o r",
    "Ġw or",
    "Ġwor l", "Ġworl d", "Ċ Ċ", "r e", "' re", "b c", "a bc",
  ]
  public static let size = 256 + merges.count + 1
  public static let endOfText = Int32(size - 1)

  /// How each byte is spelt: as itself where Latin-1 prints it, else as U+0100 and on.
  public static let spelling: [String] = {
    let printing = Array(0x21...0x7E) + Array(0xA1...0xAC) + Array(0xAE...0xFF)
    let others = (0..<256).filter { !printing.contains($0) }
    return (0..<256).map { byte in
      let scalar = others.firstIndex(of: byte).map { 0x100 + $0 } ?? byte
      return String(Unicode.Scalar(UInt32(scalar))!)
    }
  }()

  /// Tokens as they are spelt, by id.
  public static let tokens = spelling + merges.map { $0.replacing(" ", with: "") } + ["<|endoftext|>"]

  /// The bytes of each token.
  public static let bytes: [[UInt8]] =
    tokens.dropLast().map { token in
      token.unicodeScalars.map { scalar in UInt8(spelling.firstIndex(of: String(scalar))!) }
    } + [Array("<|endoftext|>".utf8)]

  /// A vocab.json of `tokens`.
  public static func json(_ tokens: [String] = tokens) -> String {
    let members = tokens.enumerated().map { id, token in
      let quoted = token.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
      return "\"\(quoted)\": \(id)"
    }
    return "{" + members.joined(separator: ", ") + "}\n"
  }

  /// A merges.txt.
  public static func text(_ merges: [String] = merges) -> String {
    (["#version: 0.2"] + merges).joined(separator: "\n") + "\n"
  }

  /// llm.c's tokenizer file.
  public static let llm: [UInt8] = {
    let fields = [20_240_328, 2, Int32(size), endOfText] + [Int32](repeating: 0, count: 252)
    let header = fields.flatMap { field in (0..<4).map { UInt8(truncatingIfNeeded: field >> (8 * $0)) } }
    return header + bytes.flatMap { [UInt8($0.count)] + $0 }
  }()

  /// Writes vocab.json and merges.txt into `folder`; returns the path of the first.
  @discardableResult
  public static func write(
    to folder: String, tokens: [String] = tokens, merges: [String] = merges
  ) throws -> String {
    try Data(json(tokens).utf8).write(to: URL(filePath: folder + "/vocab.json"))
    try Data(text(merges).utf8).write(to: URL(filePath: folder + "/merges.txt"))
    return folder + "/vocab.json"
  }
}
