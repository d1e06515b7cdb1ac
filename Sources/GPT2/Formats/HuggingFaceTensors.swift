/// How Hugging Face's GPT-2 names and stores the sixteen tensors, without the prefix `transformer.`.
///
/// - SeeAlso: github.com/huggingface/transformers, models/gpt2/modeling_gpt2.py.
enum HuggingFaceTensors {
  static let prefix = "transformer."
  /// The tied head, which some files repeat.
  static let head = "lm_head.weight"

  /// The layer's number goes between `h.` and these.
  private static let layered = [
    "ln1w": "ln_1.weight", "ln1b": "ln_1.bias", "qkvw": "attn.c_attn.weight", "qkvb": "attn.c_attn.bias",
    "attprojw": "attn.c_proj.weight", "attprojb": "attn.c_proj.bias", "ln2w": "ln_2.weight",
    "ln2b": "ln_2.bias", "fcw": "mlp.c_fc.weight", "fcb": "mlp.c_fc.bias", "fcprojw": "mlp.c_proj.weight",
    "fcprojb": "mlp.c_proj.bias",
  ]
  private static let others = [
    "wte": "wte.weight", "wpe": "wpe.weight", "lnfw": "ln_f.weight", "lnfb": "ln_f.bias",
  ]

  static func name(_ part: ParameterPart) -> String {
    let name = part.layer.flatMap { layer in
      layered[part.entry.name].map { "h.\(layer).\($0)" }
    }
    guard let name = name ?? others[part.entry.name] else {
      preconditionFailure("no tensor is named \(part.entry.name)")
    }
    return name
  }

  /// Weights of the four linear layers are those of a `Conv1D`: (in, out), where llm.c has (out, in).
  static func isTransposed(_ part: ParameterPart) -> Bool {
    ["qkvw", "attprojw", "fcw", "fcprojw"].contains(part.entry.name)
  }

  /// As stored: the vocabulary is not padded.
  static func shape(_ part: ParameterPart, _ configuration: Configuration) -> [Int] {
    if part.entry.name == "wte" { return [configuration.vocabularySize, configuration.channels] }
    return isTransposed(part) ? part.shape.reversed() : part.shape
  }

  /// Whether it is the causal mask or the number that stands for minus infinity: constants that old files hold.
  static func isMask(_ name: String) -> Bool {
    name.hasPrefix("h.") && (name.hasSuffix(".attn.bias") || name.hasSuffix(".attn.masked_bias"))
  }
}
