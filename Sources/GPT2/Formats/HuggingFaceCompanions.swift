import Machine

/// What lies beside a model in a Hugging Face directory: files that are not this program's to know and go with the model,
/// and those of the weights that it replaces.
extension HuggingFaceCheckpoint {
  static let tokenizerNames = [
    "vocab.json", "merges.txt", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json",
    "added_tokens.json", "chat_template.jinja", "gpt2_tokenizer.bin",
  ]
  static let companionNames = ["generation_config.json"] + tokenizerNames

  /// Which of the companions are in `directory`.
  static func companions(in directory: String) throws(FormatError) -> [String] {
    let names = Set(try writing { () throws(FileError) in try Directory.names(in: directory) })
    return companionNames.filter { names.contains($0) && !Directory.exists(at: directory + "/" + $0) }
  }

  /// Copies a companion, the file that a link leads to.
  static func copy(
    _ name: String, from source: String, to directory: String, overwrite: Bool
  ) throws(FormatError) {
    let reader = try writing { () throws(FileError) in try FileReader(path: source + "/" + name) }
    // They are read whole by those who use them.
    try checkReadWhole(reader.version.byteCount, path: reader.path)
    try writing { () throws(FileError) in
      var file = try AtomicFile(
        path: FileLink.destination(of: directory + "/" + name), overwrite: overwrite)
      var bytes: [UInt8] = []
      while try reader.read(appendingTo: &bytes, limit: 1 << 20) > 0 {
        try file.write(bytes)
        bytes.removeAll(keepingCapacity: true)
      }
      try file.commit()
    }
  }

  /// The files of another model's weights in `directory`: what a `model.safetensors` there takes the place of.
  static func replaced(in directory: String) -> [String] {
    var names = [indexName, pytorchIndexName].flatMap { index in
      [index] + ((try? TensorIndex(directory: directory, name: index))?.fileNames ?? [])
    }
    names.append(pytorchName)
    return names.filter { name in
      name != fileName && [".json", ".safetensors", ".bin"].contains { name.hasSuffix($0) }
        && !Directory.exists(at: directory + "/" + name)
    }
  }
}

extension Checkpoint {
  /// The files by which Hugging Face's programs and this one make text of a model's tokens, where they lie beside it.
  public static let tokenizerFileNames = HuggingFaceCheckpoint.tokenizerNames

  /// What lies beside a Hugging Face directory's model and is no tokenizer's, such as generation_config.json.
  ///
  /// - Throws: `FormatError`.
  public func otherFiles() throws(FormatError) -> [(name: String, bytes: [UInt8])] {
    guard source != nil else { return [] }
    var files: [(String, [UInt8])] = []
    for name in try HuggingFaceCheckpoint.companions(in: path)
    where !HuggingFaceCheckpoint.tokenizerNames.contains(name) {
      files.append((name, try contents(path + "/" + name)))
    }
    return files
  }
}
