import Machine

/// A merge of two tokens into a third.
typealias TokenMerge = (left: Int32, right: Int32, token: Int32)

/// The merges of a vocabulary whose ids are in their order: each token's is that of the two parts that the merges
/// before it leave of its bytes.
enum MergeRecovery {
  /// - Throws: `FormatError` where the vocabulary is none of byte pairs: a byte without a token, or a token, but a base,
  ///   that two earlier ones do not merge into.
  /// - Complexity: about 50 ms for GPT-2's 50,257 tokens.
  static func merges(
    of table: TokenTable, endOfText: Int32, path: String
  ) throws(FormatError) -> [TokenMerge] {
    if let byte = table.missingByte {
      throw .mismatch(path: path, field: "byte \(byte)", expected: "a token", found: "none")
    }
    let byteTokens = (UInt8.min...UInt8.max).map { table[[$0]] ?? 0 }
    let isBase = table.areBases(endOfText: endOfText)
    var merger = PieceMerger(byteTokens: byteTokens, merges: MergeTable(capacity: table.tokens.count))
    var merges: [TokenMerge] = []
    for (id, bytes) in table.tokens.enumerated() where !isBase[id] {
      merger.merge(bytes.span)
      guard merger.tokens.count == 2 else {
        throw .mismatch(
          path: path, field: "token \(id), '\(ByteSpelling.name(of: bytes))',",
          expected: "what two earlier ones merge into", found: "made of \(merger.tokens.count)")
      }
      let merge = (left: merger.tokens[0], right: merger.tokens[1], token: Int32(id))
      merger.merges.insert(merge.left, merge.right, token: merge.token, rank: id)
      merges.append(merge)
    }
    return merges
  }
}
