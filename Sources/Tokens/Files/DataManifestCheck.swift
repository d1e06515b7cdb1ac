import Machine

extension DataManifest {
  /// Compares token files with what the manifests beside them say of them.
  ///
  /// - Parameter areAll: whether they are meant to be all the files of their data sets; else some may be left out on
  ///   purpose.
  /// - Throws: `FormatError`: a manifest that cannot be read, a file that is missing or too much, or has another number of
  ///   tokens.
  public static func check(_ files: [TokenFile], areAll: Bool) throws(FormatError) {
    var groups: [(manifest: String, files: [TokenFile])] = []
    for file in files {
      guard let path = DataSet.manifestPath(ofTokenFile: file.path) else { continue }
      if let index = groups.firstIndex(where: { $0.manifest == path }) {
        groups[index].files.append(file)
      } else if FileStatus.kind(at: path) != nil {
        groups.append((path, [file]))
      }
    }
    for (path, files) in groups { try DataManifest(path: path).check(files, areAll: areAll) }
  }

  /// The token files that it tells of, in its folder.
  public var tokenFilePaths: [String] {
    (training.files + validation.files).map { Directory.prefix(of: path) + $0 }
  }

  /// The same for files of this one.
  public func check(_ files: [TokenFile], areAll: Bool) throws(FormatError) {
    if areAll { try checkNames(files) }
    for part in [training, validation] { try checkCounts(part, files) }
  }

  private func checkNames(_ files: [TokenFile]) throws(FormatError) {
    let (expected, found) = (training.files + validation.files, files.map { Self.name(of: $0.path) })
    func mismatch(_ name: String, _ expected: String, _ found: String) -> FormatError {
      .mismatch(path: path, field: name.shortened, expected: expected, found: found)
    }
    if let missing = expected.first(where: { !found.contains($0) }) {
      throw mismatch(missing, "there, as one of the data set's \(expected.count) files", "missing")
    }
    if let other = found.first(where: { !expected.contains($0) }) {
      throw mismatch(other, "one of the data set's \(expected.count) files", "another one")
    }
  }

  /// Those of `files` that the part names; where it tells only the tokens of all, they must be all.
  private func checkCounts(_ part: Part, _ files: [TokenFile]) throws(FormatError) {
    var sum = 0
    let known = files.filter { part.files.contains(Self.name(of: $0.path)) }
    for file in known {
      sum += file.count
      guard let index = part.files.firstIndex(of: Self.name(of: file.path)),
        let tokens = part.fileTokens?[index]
      else { continue }
      guard file.count == tokens else { throw mismatch(file.path, tokens, file.count) }
    }
    guard part.fileTokens == nil, known.count == part.files.count, let first = known.first else { return }
    let others = known.count > 1 ? " and \(known.count - 1) more" : ""
    guard sum == part.tokens else { throw mismatch(first.path + others, part.tokens, sum) }
  }

  private func mismatch(_ file: String, _ expected: Int, _ found: Int) -> FormatError {
    .mismatch(
      path: file, field: "the number of tokens", expected: "\(expected), as \(path) says", found: "\(found)")
  }

  private static func name(of path: String) -> String {
    let slash = path.utf8.lastIndex(of: UInt8(ascii: "/"))
    return slash.map { String(path[path.utf8.index(after: $0)...]) } ?? path
  }
}
