import Machine

/// Where tokens are written: `NAME_train.bin` and `NAME_val.bin` in a folder; numbered from
/// `NAME_train_000000.bin` on where one shard does not hold all.
///
/// llm.c's uint16 where all ids of the vocabulary fit, else its uint32. Nothing has its place before
/// `commit`: until then all lies in a temporary directory (`AtomicFileSet`).
final class TokenWriter {
  private let folder: String
  private let name: String
  private var files: AtomicFileSet?
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
    folder = directory.hasSuffix("/") ? directory : directory + "/"
    self.name = name
    isLong = vocabularySize > 1 << 16
    self.shardTokens = shardTokens
    // First, as it takes back what a killed process has left.
    let files = try AtomicFileSet(in: directory)
    temporaryPath = files.temporaryPath + "/"
    self.files = consume files
    for file in try Directory.names(in: directory) where DataSet.isFile(file, ofDataSet: name) {
      throw .exists(path: folder + file)
    }
  }

  /// Where the files of the data set are written, with a slash at its end.
  let temporaryPath: String

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
        try finishShard(of: part)
        let path = temporaryPath + fileName(of: part, shard: parts[part].shards.count)
        parts[part].shards.append(try Shard(path: path, isLong: isLong))
        continue
      }
      try parts[part].shards[parts[part].shards.count - 1].write(rest.prefix(room))
      rest = rest.dropFirst(room)
    }
  }

  private func fileName(of part: Int, shard: Int?) -> String {
    "\(name)_\(parts[part].name)\(shard.map { "_" + String(1_000_000 + $0).dropFirst() } ?? "").bin"
  }

  /// The last one is whole: so few files are open at once.
  private func finishShard(of part: Int) throws(FileError) {
    try parts[part].shards.last?.commit()
  }

  /// Ends the token files and returns their names, without the folder.
  func finish() throws(FileError) -> (training: [String], validation: [String]) {
    var names: [[String]] = []
    for part in parts.indices {
      let count = parts[part].shards.count
      names.append((0..<count).map { fileName(of: part, shard: count > 1 ? $0 : nil) })
      try parts[part].shards.last?.commit(as: names[part].last.map { temporaryPath + $0 })
    }
    return (names[0], names[1])
  }

  /// Gives all files their places.
  ///
  /// - Parameter first: the name of the one that comes before all others.
  func commit(first: String) throws(FileError) { try files.take()?.commit(first: first) }
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

  /// - Parameter path: the name where it is not that of `init`.
  func commit(as path: String? = nil) throws(FileError) {
    guard var file = file.take() else { return }
    try file.overwrite(
      at: 0, with: LLMHeader.bytes(isLong ? .longTokens : .tokens, [isLong ? 7 : 1, Int32(count)]))
    try file.commit(as: path)
  }
}
