/// How Hugging Face's GPT-2 names and stores the sixteen tensors, without the prefix `transformer.`.
///
/// - SeeAlso: github.com/huggingface/transformers, models/gpt2/modeling_gpt2.py.
enum HuggingFaceTensors {
  static let prefix = "transformer."
  /// The tied head, which some files repeat.
  static let head = "lm_head.weight"

  static func name(_ part: ParameterPart) -> String {
    (part.layer.map { "h.\($0)." } ?? "") + name(part.parameter)
  }

  /// Within a layer where each has one.
  private static func name(_ parameter: Parameter) -> String {
    switch parameter {
    case .wte: "wte.weight"
    case .wpe: "wpe.weight"
    case .ln1w: "ln_1.weight"
    case .ln1b: "ln_1.bias"
    case .qkvw: "attn.c_attn.weight"
    case .qkvb: "attn.c_attn.bias"
    case .attprojw: "attn.c_proj.weight"
    case .attprojb: "attn.c_proj.bias"
    case .ln2w: "ln_2.weight"
    case .ln2b: "ln_2.bias"
    case .fcw: "mlp.c_fc.weight"
    case .fcb: "mlp.c_fc.bias"
    case .fcprojw: "mlp.c_proj.weight"
    case .fcprojb: "mlp.c_proj.bias"
    case .lnfw: "ln_f.weight"
    case .lnfb: "ln_f.bias"
    }
  }

  /// Weights of the four linear layers are those of a `Conv1D`: (in, out), where llm.c has (out, in).
  static func isMatrix(_ part: ParameterPart) -> Bool { part.parameter.role == .matrix }

  /// As stored: the vocabulary is not padded.
  static func shape(_ part: ParameterPart, _ configuration: Configuration) -> [Int] {
    if part.parameter == .wte { return [configuration.vocabularySize, configuration.channels] }
    return isMatrix(part) ? part.shape(configuration).reversed() : part.shape(configuration)
  }

  /// A tensor's name without what stands before it.
  static func name(_ name: String, in convention: NamedParameters.Convention) -> String {
    convention.prefixes.reduce(name) { $0.hasPrefix($1) ? String($0.dropFirst($1.count)) : $0 }
  }

  /// Whether a tensor of this name is the model's or claims to be: those of other heads are not.
  static func isOfModel(_ name: String, in convention: NamedParameters.Convention) -> Bool {
    let bare = self.name(name, in: convention)
    return bare.utf8.count < name.utf8.count
      || ["h.", "wte.", "wpe.", "ln_f.", "lm_head."].contains { bare.hasPrefix($0) }
  }

  /// Whether it is the causal mask or the number that stands for minus infinity: constants that old files hold.
  static func isMask(_ name: String) -> Bool {
    name.hasPrefix("h.") && (name.hasSuffix(".attn.bias") || name.hasSuffix(".attn.masked_bias"))
  }
}
