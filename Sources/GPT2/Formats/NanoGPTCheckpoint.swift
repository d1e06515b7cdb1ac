import Machine
import Operators

/// nanoGPT's `ckpt.pt`: a dictionary of `model`, its tensors, and `model_args`, its sizes.
///
/// - SeeAlso: github.com/karpathy/nanoGPT, train.py and model.py.
struct NanoGPTCheckpoint: Sendable {
  let parameters: NamedParameters
  let tensors: [StoredTensor]
  let notes: [String]

  /// GPT-2's vocabulary, and what nanoGPT makes of it for models from scratch.
  private static let vocabulary = (tokens: 50257, padded: 50304)

  /// - Throws: `FormatError`, naming the tensor or the field that is off.
  init(path: String) throws(FormatError) {
    let file = try PyTorchFile(path: path)
    let pickle = file.pickle
    guard let model = pickle.member("model", of: pickle.root),
      let arguments = pickle.member("model_args", of: pickle.root)
    else {
      throw .mismatch(
        path: path, field: "the file", expected: "nanoGPT's ckpt.pt, with model and model_args",
        found:
          "PyTorch's without them: of a pytorch_model.bin its directory is to be given, with config.json in it"
      )
    }
    func size(_ name: String) throws(FormatError) -> Int {
      let found = pickle.member(name, of: arguments)
      guard case .integer(let size) = found else {
        throw .mismatch(
          path: path, field: "\(name) of model_args", expected: "an integer", found: found?.kind ?? "missing")
      }
      return size
    }
    let stored = try size("vocab_size")
    let isPadded = stored == Self.vocabulary.padded
    let sizes = (try size("block_size"), try size("n_layer"), try size("n_head"), try size("n_embd"))
    let configuration: Configuration
    do {
      configuration = try Configuration(
        maximumSequenceLength: sizes.0, vocabularySize: isPadded ? Self.vocabulary.tokens : stored,
        layers: sizes.1, heads: sizes.2, channels: sizes.3, activation: .geluErf)
    } catch { throw .invalid(path: path, reason: "\(error)") }
    tensors = try file.tensors(of: model, what: "model")
    // What torch.compile puts before names comes first.
    parameters = try NamedParameters(
      tensors, of: configuration, vocabularySize: stored,
      convention: NamedParameters.Convention(
        isTransposed: false, mayLackBiases: true, prefixes: ["_orig_mod.", HuggingFaceTensors.prefix]),
      path: path)
    var notes = parameters.notes
    notes.append(
      "\(path): the activation is nanoGPT's gelu-erf; where it was trained before nanoGPT had that, --activation gelu"
    )
    if isPadded {
      notes.append("\(path): of the vocabulary's 50304 rows the last 47 are padding and are left out")
    }
    self.notes = notes
  }
}
