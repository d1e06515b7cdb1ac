/// HellaSwag files as llm.c's script writes them, made byte by byte.
public enum HellaSwagBytes {
  /// - Parameter examples: context, completions and label of each.
  public static func file(_ examples: [([Int32], [[Int32]], Int)]) -> [UInt8] {
    let records = examples.enumerated().map { index, example in
      let (context, completions, label) = example
      var record: [UInt16] = [65535, 0, UInt16(index), UInt16(label), UInt16(completions.count)]
      for tokens in [context] + completions {
        record += [UInt16(tokens.count)] + tokens.map { UInt16($0) }
      }
      record[1] = UInt16(2 * record.count)
      return record
    }
    let longest = records.map { 2 * $0.count }.max() ?? 0
    var file = FileBytes(header: [20_240_522, 1, Int32(examples.count), Int32(longest)])
    for record in records { file.append(record) }
    return file.bytes
  }
}
