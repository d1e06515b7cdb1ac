import Foundation
import Machine

/// Where tokens are written: `NAME_train.bin` and `NAME_val.bin` in a folder; numbered from
/// `NAME_train_000000.bin` on where one shard does not hold all.
///
/// llm.c's uint16 where all ids of the vocabulary fit, else its uint32. Nothing has its name before `commit`: until then
/// there are temporary files.
final class TokenWriter {
  private let prefix: String
  private let isLong: Bool
  private let shardTokens: Int
  private var parts: [Part] = [Part(name: "train"), Part(name: "val")]

  private struct Part {
    let name: String
    var shards: [Shard] = []
    var count: Int { shards.reduce(0) { $0 + $1.count } }
  }

  /// - Throws: `FileError.exists` for the first file that already is one of this data set's.
  init(directory: String, name: String, vocabularySize: Int, shardTokens: Int) throws(FileError) {
    let folder = directory.hasSuffix("/") ? directory : directory + "/"
    prefix = folder + name
    isLong = vocabularySize > 1 << 16
    self.shardTokens = shardTokens
    let names = (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []
    for file in names.sorted() where DataSet.isFile(file, ofDataSet: name) {
      throw .exists(path: folder + file)
    }
  }

  var trainingCount: Int { parts[0].count }
  var validationCount: Int { parts[1].count }
  /// The tokens of each file.
  var counts: (training: [Int], validation: [Int]) {
    (parts[0].shards.map(\.count), parts[1].shards.map(\.count))
  }

  func write(_ tokens: ArraySlice<Int32>, validation: Bool) throws(FileError) {
    let part = validation ? 1 : 0
    var rest = tokens
    while !rest.isEmpty {
      let room = parts[part].shards.last.map { shardTokens - $0.count } ?? 0
      guard room > 0 else {
        let path = "\(prefix)_\(parts[part].name).bin"
        parts[part].shards.append(try Shard(path: path, isLong: isLong))
        continue
      }
      try parts[part].shards[parts[part].shards.count - 1].write(rest.prefix(room))
      rest = rest.dropFirst(room)
    }
  }

  /// Gives the files their names, which are returned without the folder.
  func commit() throws(FileError) -> (training: [String], validation: [String]) {
    var names: [[String]] = []
    for part in parts {
      var paths: [String] = []
      for (index, shard) in part.shards.enumerated() {
        let number = String(1_000_000 + index).dropFirst()
        let path = "\(prefix)_\(part.name)\(part.shards.count > 1 ? "_\(number)" : "").bin"
        try shard.commit(as: path)
        paths.append(String(path.split(separator: "/").last ?? ""))
      }
      names.append(paths)
    }
    return (names[0], names[1])
  }
}

/// One token file while it grows.
private final class Shard {
  private(set) var count = 0
  /// Whether ids take 32 bits.
  private let isLong: Bool
  private var file: AtomicFile?

  init(path: String, isLong: Bool) throws(FileError) {
    self.isLong = isLong
    var file = try AtomicFile(path: path)
    try file.write([UInt8](repeating: 0, count: LLMHeader.byteCount))
    self.file = consume file
  }

  func write(_ tokens: ArraySlice<Int32>) throws(FileError) {
    if isLong {
      try file?.write(integers: Array(tokens))
    } else {
      try file?.write(integers: tokens.map { UInt16(truncatingIfNeeded: $0) })
    }
    count += tokens.count
  }

  func commit(as path: String) throws(FileError) {
    guard var file = file.take() else { return }
    try file.overwrite(
      at: 0, with: LLMHeader.bytes(isLong ? .longTokens : .tokens, [isLong ? 7 : 1, Int32(count)]))
    try file.commit(as: path)
  }
}
