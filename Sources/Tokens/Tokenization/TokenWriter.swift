import Foundation
import Machine

/// How much of the tokens, from their beginning, is for validation.
public enum ValidationShare: Sendable, Equatable {
  /// The first so many.
  case tokens(Int)
  /// Those of the first part of the input's bytes: 0 ≤ fraction < 1.
  case fraction(Double)
}

/// Where tokens are written: `NAME_train.bin` and `NAME_val.bin` in a folder; numbered from
/// `NAME_train_000000.bin` on where one shard does not hold all.
///
/// llm.c's headed uint16 where all ids of the vocabulary fit, else raw int32. Nothing has its name before
/// `commit`: until then there are temporary files.
final class TokenWriter {
  private let prefix: String
  private let isHeaded: Bool
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
    isHeaded = vocabularySize <= 1 << 16
    self.shardTokens = shardTokens
    let names = (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []
    for file in names.sorted() where DataSet.isFile(file, ofDataSet: name) {
      throw .exists(path: folder + file)
    }
  }

  var trainingCount: Int { parts[0].count }
  var validationCount: Int { parts[1].count }

  func write(_ tokens: ArraySlice<Int32>, validation: Bool) throws(FileError) {
    let part = validation ? 1 : 0
    var rest = tokens
    while !rest.isEmpty {
      let room = parts[part].shards.last.map { shardTokens - $0.count } ?? 0
      guard room > 0 else {
        let path = "\(prefix)_\(parts[part].name).bin"
        parts[part].shards.append(try Shard(path: path, isHeaded: isHeaded))
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
  private let isHeaded: Bool
  private var file: AtomicFile?

  init(path: String, isHeaded: Bool) throws(FileError) {
    self.isHeaded = isHeaded
    var file = try AtomicFile(path: path)
    if isHeaded { try file.write([UInt8](repeating: 0, count: LLMHeader.byteCount)) }
    self.file = consume file
  }

  func write(_ tokens: ArraySlice<Int32>) throws(FileError) {
    if isHeaded {
      try file?.write(integers: tokens.map { UInt16(truncatingIfNeeded: $0) })
    } else {
      try file?.write(integers: Array(tokens))
    }
    count += tokens.count
  }

  func commit(as path: String) throws(FileError) {
    guard var file = file.take() else { return }
    if isHeaded {
      try file.overwrite(at: 0, with: LLMHeader.bytes(.tokens, [1, Int32(count)]))
    }
    try file.commit(as: path)
  }
}
