import Foundation
import GPT2
import Tokens

/// The vocabulary that belongs to a model: the given one, else one that lies beside it or in the working directory.
struct TokenizerChoice {
  /// nil where there is none of the model's size.
  let tokenizer: Tokenizer?
  /// The file, or why there is none.
  let summary: String

  private static let names = ["gpt2_tokenizer.bin", "vocab.json"]

  /// - Throws: `FormatError` for the given file.
  init(given: String?, checkpoint: Checkpoint?, vocabularySize: Int) throws {
    if let given {
      let found = try Tokenizer(path: given)
      let note =
        found.vocabularySize == vocabularySize
        ? "" : ", \(found.vocabularySize) tokens where the model has \(vocabularySize)"
      (tokenizer, summary) = (found, given + note)
      return
    }
    let paths = Self.folders(checkpoint).flatMap { folder in Self.names.map { folder + $0 } }
    guard let path = paths.first(where: { FileManager.default.fileExists(atPath: $0) }) else {
      (tokenizer, summary) = (nil, "there is no \(Self.names[0]) beside the checkpoint or here")
      return
    }
    do {
      let found = try Tokenizer(path: path)
      if found.vocabularySize == vocabularySize {
        (tokenizer, summary) = (found, path)
      } else {
        (tokenizer, summary) = (nil, "\(path) has \(found.vocabularySize) tokens, the model \(vocabularySize)")
      }
    } catch {
      (tokenizer, summary) = (nil, "\(error)")
    }
  }

  /// A directory of Hugging Face itself, the folder of a file, the working directory.
  private static func folders(_ checkpoint: Checkpoint?) -> [String] {
    guard let checkpoint else { return [""] }
    let slash = checkpoint.path.lastIndex(of: "/")
    let folder = slash.map { String(checkpoint.path[...$0]) } ?? ""
    if case .huggingFace = checkpoint.format { return [checkpoint.path + "/", folder, ""] }
    return [folder, ""]
  }
}
