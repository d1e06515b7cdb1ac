import Machine

/// What lies beside a model in a Hugging Face directory: files that are not this program's to know and go with the model,
/// and those of the weights that it replaces.
extension HuggingFaceCheckpoint {
  static let tokenizerNames = [
    "vocab.json", "merges.txt", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json",
    "added_tokens.json", "chat_template.jinja", "gpt2_tokenizer.bin",
  ]
  static let companionNames = ["generation_config.json"] + tokenizerNames

  /// What is in `directory` of another model than the one that is written there: its weights, in place of which
  /// `model.safetensors` comes, and the companions that the new one does not bring.
  ///
  /// - Parameter brought: the names of the new one's companions.
  static func replaced(in directory: String, by brought: [String]) throws(FormatError) -> [String] {
    let present = Set(try writing { () throws(FileError) in try Directory.names(in: directory) })
    let weights = [indexName, pytorchIndexName].flatMap { index in
      [index] + ((try? TensorIndex(directory: directory, name: index))?.fileNames ?? [])
    }.filter { name in
      name != fileName && [".json", ".safetensors", ".bin"].contains { name.hasSuffix($0) }
    }
    let models = weights + [pytorchName, fileName, HuggingFaceConfiguration.fileName]
    // Without a model they are nobody's yet.
    guard models.contains(where: present.contains) else { return [] }
    let names = weights + [pytorchName] + companionNames.filter { !brought.contains($0) }
    return names.filter { present.contains($0) && !Directory.exists(at: directory + "/" + $0) }
  }
}

extension Checkpoint {
  /// The files by which Hugging Face's programs and this one make text of a model's tokens, where they lie beside it.
  public static let tokenizerFileNames = HuggingFaceCheckpoint.tokenizerNames

  /// What lies beside a Hugging Face directory's model and goes with it: its tokenizer, generation_config.json.
  ///
  /// - Throws: `FormatError`.
  public func companionFiles() throws(FormatError) -> [(name: String, bytes: [UInt8])] {
    guard source != nil else { return [] }
    let present = Set(try writing { () throws(FileError) in try Directory.names(in: path) })
    var files: [(String, [UInt8])] = []
    for name in HuggingFaceCheckpoint.companionNames
    where present.contains(name) && !Directory.exists(at: path + "/" + name) {
      files.append((name, try contents(path + "/" + name)))
    }
    return files
  }
}
