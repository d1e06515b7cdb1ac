import JSON
import Machine

/// Hugging Face's `config.json` of a GPT-2.
///
/// A field that changes what the model computes must have the value that this program computes; fields of other
/// concerns, such as dropout, are passed over.
///
/// - SeeAlso: github.com/huggingface/transformers, models/gpt2/configuration_gpt2.py.
enum HuggingFaceConfiguration {
  static let fileName = "config.json"

  /// - Throws: `FormatError`, naming the field that is off.
  static func read(path: String) throws(FormatError) -> Configuration {
    let json = JSONObject(try JSONValue(path: path), path: path)
    try checkSemantics(json)
    let contextField = try json["n_positions"] == nil ? "n_ctx" : "n_positions"
    let sizes = try (
      context: json.integer(contextField), vocabulary: json.integer("vocab_size"),
      layers: json.integer("n_layer"), heads: json.integer("n_head"), channels: json.integer("n_embd")
    )
    let configuration: Configuration
    do {
      configuration = try Configuration(
        maximumSequenceLength: sizes.context, vocabularySize: sizes.vocabulary, layers: sizes.layers,
        heads: sizes.heads, channels: sizes.channels)
    } catch { throw .invalid(path: path, reason: "\(error)") }
    if try json["n_inner"] != nil, try json.integer("n_inner") != 4 * configuration.channels {
      throw json.mismatch(
        "n_inner", expected: "null or 4 × n_embd", found: "\(try json.integer("n_inner"))")
    }
    return configuration
  }

  /// Each may be missing: the library's default is GPT-2's.
  private static func checkSemantics(_ json: JSONObject) throws(FormatError) {
    if try json["model_type"] != nil, try json.string("model_type") != "gpt2" {
      throw json.mismatch("model_type", expected: "'gpt2'", found: "'\(try json.string("model_type"))'")
    }
    // Two names of the tanh approximation.
    if try json["activation_function"] != nil,
      !["gelu_new", "gelu_pytorch_tanh"].contains(try json.string("activation_function"))
    {
      let found = try json.string("activation_function")
      throw json.mismatch("activation_function", expected: "'gelu_new'", found: "'\(found)'")
    }
    for (field, expected) in [
      ("tie_word_embeddings", true), ("scale_attn_weights", true), ("scale_attn_by_inverse_layer_idx", false),
      ("add_cross_attention", false),
    ] {
      guard let found = try json[field] else { continue }
      guard case .boolean(expected) = found else {
        throw json.mismatch(field, expected: "\(expected)", found: found.kind)
      }
    }
    guard let epsilon = try json["layer_norm_epsilon"] else { return }
    guard case .number(1e-5) = epsilon else {
      throw json.mismatch("layer_norm_epsilon", expected: "1e-05", found: epsilon.kind)
    }
  }

  /// What `transformers` needs to load the model and to generate with it.
  static func text(_ configuration: Configuration, precision: Precision) -> String {
    // GPT-2's end-of-text token is the last of its vocabulary; of another nothing is known.
    let endOfText: JSONText = configuration.vocabularySize == 50257 ? .integer(50256) : .null
    let json = JSONText.object([
      ("model_type", .text("gpt2")), ("architectures", .array([.text("GPT2LMHeadModel")])),
      ("activation_function", .text("gelu_new")),
      ("n_positions", .integer(configuration.maximumSequenceLength)),
      ("n_ctx", .integer(configuration.maximumSequenceLength)), ("n_embd", .integer(configuration.channels)),
      ("n_layer", .integer(configuration.layers)), ("n_head", .integer(configuration.heads)),
      ("n_inner", .null),
      ("vocab_size", .integer(configuration.vocabularySize)), ("layer_norm_epsilon", .double(1e-05)),
      ("tie_word_embeddings", .boolean(true)), ("bos_token_id", endOfText), ("eos_token_id", endOfText),
      ("torch_dtype", .text(precision.rawValue)),
    ])
    return json.indented + "\n"
  }
}
