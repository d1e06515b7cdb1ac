import Machine

/// llm.c's tokenizer file:
///
///     256 int32: 20240328, version, V, id of the end of text (version 2), 0...
///     V times: length in one byte, then as many bytes
///
/// Version 1 leaves the end of text out; it is GPT-2's, 50256. Merges are not in it, but ids are in their order: where
/// every byte is a token, two earlier tokens have to merge into each later one. Where not, it only decodes.
///
/// - SeeAlso: github.com/karpathy/llm.c, train_gpt2.py, `write_tokenizer`.
extension Tokenizer {
  init(llm file: MappedFile, path: String) throws(FormatError) {
    let header = try LLMHeader(file, path: path, magic: .tokenizer)
    try header.checkVersion([1, 2])
    try checkReadWhole(file.byteCount, path: path)
    let size = header[2]
    let end = header[1] == 1 ? 50256 : header[3]
    // A token takes two bytes at least, so that the file bounds what a header can ask for.
    let largest = (file.byteCount - LLMHeader.byteCount) / 2
    guard (1...max(1, largest)).contains(size) else {
      throw header.mismatch(
        "the vocabulary size", expected: "in 1...\(max(1, largest)), as the file's size allows",
        found: "\(size)")
    }
    guard (0..<size).contains(end) else {
      throw header.mismatch("the id of the end of text", expected: "in 0..<\(size)", found: "\(end)")
    }
    let table = try TokenTable(try Self.tokens(of: file, header: header), path: path)
    let scheme: Scheme =
      table.missingByte != nil
      ? .ranked : .merges(try MergeRecovery.merges(of: table, endOfText: Int32(end), path: path))
    self.init(tokens: table.tokens, endOfText: Int32(end), scheme: scheme)
  }

  /// The merges of a vocabulary whose ids are in their order.
  ///
  /// - Throws: as `MergeRecovery.merges`, and for tokens that `TokenTable` refuses.
  func recoveredMerges(path: String) throws(FormatError) -> [TokenMerge] {
    let tokens = (0..<Int32(vocabularySize)).map { self.bytes(of: $0) ?? [] }
    return try MergeRecovery.merges(
      of: try TokenTable(tokens, path: path), endOfText: endOfText, path: path)
  }

  private static func tokens(of file: MappedFile, header: LLMHeader) throws(FormatError) -> [[UInt8]] {
    var tokens: [[UInt8]] = []
    var position = LLMHeader.byteCount
    for token in 0..<header[2] {
      guard position < file.byteCount else {
        throw header.mismatch(
          "the file", expected: "\(header[2]) tokens long, as its header says",
          found: "truncated after \(token) of them")
      }
      let length = Int(file.read(UInt8.self, at: position))
      guard (1...max(1, file.byteCount - position - 1)).contains(length), position + 1 < file.byteCount else {
        throw header.mismatch(
          "the length of token \(token)",
          expected: "at least 1 and at most the \(file.byteCount - position - 1) bytes that are left",
          found: "\(length)")
      }
      tokens.append((1...length).map { file.read(UInt8.self, at: position + $0) })
      position += 1 + length
    }
    try header.checkSize(file.byteCount, expected: position)
    return tokens
  }

  /// Writes the vocabulary as version 2.
  ///
  /// - Throws: as `llmBytes(path:)`, and `FormatError.file`.
  package func writeLLM(to path: String) throws(FormatError) {
    try write(try llmBytes(path: path), toNew: path)
  }

  /// The bytes of a file of version 2.
  ///
  /// - Parameter path: what errors call it.
  /// - Throws: `FormatError` for a token of more than 255 bytes, and for merges other than those that the order of ids
  ///   tells, which the file could not.
  func llmBytes(path: String) throws(FormatError) -> [UInt8] {
    if case .merges(let merges) = scheme {
      guard let told = try? recoveredMerges(path: path), told.elementsEqual(merges, by: ==) else {
        throw .mismatch(
          path: path, field: "the vocabulary's ids",
          expected: "in the order of its merges, with no token beside them that could be one's result",
          found: "others, which llm.c's format, in which data keep their vocabulary, cannot hold")
      }
    }
    var bytes = LLMHeader.bytes(.tokenizer, [2, Int32(vocabularySize), endOfText])
    for token in 0..<Int32(vocabularySize) {
      let text = self.bytes(of: token) ?? []
      guard (1...255).contains(text.count) else {
        throw .mismatch(
          path: path, field: "the length of token \(token)", expected: "in 1...255", found: "\(text.count)")
      }
      bytes += [UInt8(text.count)] + text
    }
    return bytes
  }
}
