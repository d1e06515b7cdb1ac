import Machine

/// What the numbers of a file without a header look like.
///
/// An id's upper bits are zeros: read as 16-bit words, a file of wider numbers has zeros at the odd places, or, where ids
/// pass 65535, small numbers. Read as numbers of another size than theirs, ids would pass any vocabulary, or every second
/// one would be 0.
struct RawTokenType {
  /// What the words of a file are like, looked at in `samples` places of `sampleWords` each that are spread over it.
  private var zeros: InlineArray<4, Int> = [0, 0, 0, 0]
  private var largest: InlineArray<4, UInt16> = [0, 0, 0, 0]
  /// At each of the four places of a 64-bit number.
  private var counts: InlineArray<4, Int> = [0, 0, 0, 0]
  private let byteCount: Int

  private static let samples = 64
  private static let sampleWords = 4096
  /// No common one is larger; ids beyond the model's are told as such, and not read as others.
  private static let largestVocabulary = 1 << 18

  /// - Parameter vocabularySize: what the ids are probably below.
  /// - Returns: nil where the bytes are text, or their number is odd.
  /// - Throws: `FormatError.mismatch` where the file looks like int64, as that cannot be told from int32 whose every
  ///   second id is 0.
  static func guess(_ file: MappedFile, vocabularySize: Int?) throws(FormatError) -> TokenType? {
    guard file.byteCount.isMultiple(of: 2), !FileKind.isText(file) else { return nil }
    let words = RawTokenType(file)
    if words.look64Bit {
      throw .mismatch(
        path: file.path, field: "the type of the token ids",
        expected: "given, with --token-type int64 (or int32, where they are right)",
        found: "not told by a file that has no header and whose every second int32 is 0")
    }
    return words.look32Bit(vocabularySize: max(vocabularySize ?? 0, largestVocabulary)) ? .int32 : .uint16
  }

  private init(_ file: MappedFile) {
    byteCount = file.byteCount
    let count = file.byteCount / 2
    // The distance between samples begins 64-bit numbers, too.
    let distance = max(Self.sampleWords, count / Self.samples / 4 * 4)
    for start in stride(from: 0, to: count, by: distance) {
      let end = min(count, start + Self.sampleWords)
      file.withIntegers(UInt16.self, at: 2 * start, count: end - start) { words in
        for index in words.indices {
          counts[index & 3] += 1
          zeros[index & 3] += words[index] == 0 ? 1 : 0
          largest[index & 3] = max(largest[index & 3], words[index])
        }
      }
    }
  }

  /// The upper halves of 64-bit numbers are zeros, and not all numbers are.
  private var look64Bit: Bool {
    guard byteCount.isMultiple(of: 8) else { return false }
    let (upper, all) = (zeros[2] + zeros[3], counts[2] + counts[3])
    if upper == all { return zeros[0] < counts[0] || zeros[1] < counts[1] }
    // Some numbers are no ids, such as a mark of -100.
    return 10 * upper >= 9 * all && 2 * zeros[0] <= counts[0]
  }

  private func look32Bit(vocabularySize: Int) -> Bool {
    guard byteCount.isMultiple(of: 4) else { return false }
    let (lower, upper) = (zeros[0] + zeros[2], zeros[1] + zeros[3])
    if upper == counts[1] + counts[3] { return true }
    // Some numbers are no ids. A token that is frequent in uint16 is so at all places.
    if 2 * upper > counts[1] + counts[3], 2 * lower <= upper { return true }
    // Upper halves as those of ids beyond 65535, and lower ones of all sizes.
    let largestUpper = Int(max(largest[1], largest[3]))
    return largestUpper << 16 < vocabularySize && max(largest[0], largest[2]) >= 256
  }
}
