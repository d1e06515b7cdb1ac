import GPT2
import Machine
import Tokens

/// The vocabulary that belongs to a model: the given one, else that of the data's manifest, else the first of the model's
/// size that lies beside the model or in the working directory.
struct TokenizerChoice {
  let tokenizer: Tokenizer?
  /// The file, or why there is none.
  let summary: String

  /// What is looked for in each folder; the last has merges.txt beside it.
  static let names = ["gpt2_tokenizer.bin", "tokenizer.json", "vocab.json"]

  /// "gpt2_tokenizer.bin, tokenizer.json, or vocab.json with merges.txt, beside the checkpoint or in the working directory"
  static let search =
    "\(names[0]), \(names[1]), or \(names[2]) with merges.txt, beside the checkpoint or in the working directory"

  /// - Parameter checkpoint: nil for a model that starts from scratch.
  /// - Throws: `FormatError` for the given file; where the data have a manifest, and it is of another vocabulary than the
  ///   model, whatever was given.
  init(given: String?, data: DataFiles? = nil, checkpoint: Checkpoint?, vocabularySize: Int) throws {
    let manifest = try data?.manifest(vocabularySize: vocabularySize)
    if let given {
      let found = try Tokenizer(path: given)
      let note =
        found.vocabularySize == vocabularySize
        ? "" : ", \(found.vocabularySize) tokens where the model has \(vocabularySize)"
      (tokenizer, summary) = (found, given + note)
      return
    }
    if let manifest {
      tokenizer = try manifest.tokenizer()
      summary = "\(manifest.kind.rawValue), as \(manifest.path) says"
      return
    }
    let paths = Self.folders(checkpoint).flatMap { folder in Self.names.map { folder + $0 } }
    var reason: String?
    for path in paths where FileStatus.kind(at: path) == .regular {
      do {
        let found = try Tokenizer(path: path)
        if found.vocabularySize == vocabularySize {
          (tokenizer, summary) = (found, path)
          return
        }
        reason = reason ?? "\(path) has \(found.vocabularySize) tokens, the model \(vocabularySize)"
      } catch { reason = reason ?? "\(error)" }
    }
    (tokenizer, summary) = (nil, reason ?? "there is no \(Self.names[0]) beside the checkpoint or here")
  }

  /// A directory of Hugging Face itself, the folder of a file, the working directory.
  private static func folders(_ checkpoint: Checkpoint?) -> [String] {
    guard let checkpoint else { return [""] }
    let folder = Directory.prefix(of: checkpoint.path)
    if case .huggingFace = checkpoint.format { return [checkpoint.path + "/", folder, ""] }
    return [folder, ""]
  }
}
