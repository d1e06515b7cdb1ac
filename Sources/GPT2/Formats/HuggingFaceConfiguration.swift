import JSON
import Machine
import Operators

/// Hugging Face's `config.json` of a GPT-2.
///
/// A field that changes what the model computes must have a value that this program computes; fields of other
/// concerns, such as dropout, are carried over to what is written of the model.
///
/// - SeeAlso: github.com/huggingface/transformers, models/gpt2/configuration_gpt2.py.
struct HuggingFaceConfiguration: Sendable {
  static let fileName = "config.json"

  let configuration: Configuration
  /// Whether the head is the embedding whatever tensors there are.
  let isHeadTied: Bool
  /// All fields, in their order.
  let fields: [(name: String, value: JSONText)]

  /// - Throws: `FormatError`, naming the field that is off.
  init(path: String) throws(FormatError) {
    let json = JSONObject(try JSONValue(path: path), path: path)
    try Self.checkSemantics(json)
    let contextField = try json["n_positions"] == nil ? "n_ctx" : "n_positions"
    let sizes = try (
      context: json.integer(contextField), vocabulary: json.integer("vocab_size"),
      layers: json.integer("n_layer"), heads: json.integer("n_head"), channels: json.integer("n_embd")
    )
    let (activation, epsilon) = (try Self.activation(json), try Self.epsilon(json))
    do {
      configuration = try Configuration(
        maximumSequenceLength: sizes.context, vocabularySize: sizes.vocabulary, layers: sizes.layers,
        heads: sizes.heads, channels: sizes.channels, activation: activation, layerNormEpsilon: epsilon)
    } catch { throw .invalid(path: path, reason: "\(error)") }
    if try json["n_inner"] != nil, try json.integer("n_inner") != 4 * configuration.channels {
      throw json.mismatch(
        "n_inner", expected: "null or 4 × n_embd", found: "\(try json.integer("n_inner"))")
    }
    if case .boolean(false) = try json["tie_word_embeddings"] {
      isHeadTied = false
    } else {
      isHeadTied = true
    }
    guard case .object(let members) = try JSONText(path: path) else { preconditionFailure("it is an object") }
    fields = members.map { ($0.0, $0.1) }
  }

  /// What `transformers` calls each activation; its own first where there are several that compute the same.
  private static let activations: [(name: String, activation: Activation)] = [
    ("gelu_new", .gelu), ("gelu_pytorch_tanh", .gelu), ("gelu_fast", .gelu), ("gelu_accurate", .gelu),
    ("gelu", .geluErf), ("gelu_python", .geluErf),
    // None of its own, so that it refuses the model rather than compute another.
    ("gelu_quintic", .geluQuintic),
  ]

  private static func activation(_ json: JSONObject) throws(FormatError) -> Activation {
    guard try json["activation_function"] != nil else { return .gelu }
    let name = try json.string("activation_function")
    guard let found = activations.first(where: { $0.name == name }) else {
      let names = activations.map { "'\($0.name)'" }.joined(separator: ", ")
      throw json.mismatch(
        "activation_function", expected: "one of \(names)", found: "'\(name.shortened)'")
    }
    return found.activation
  }

  private static func epsilon(_ json: JSONObject) throws(FormatError) -> Double {
    switch try json["layer_norm_epsilon"] {
    case nil: return Configuration.defaultLayerNormEpsilon
    case .number(let number): return number
    case .integer(let number): return Double(number)
    case let other?: throw json.mismatch("layer_norm_epsilon", expected: "a number", found: other.kind)
    }
  }

  /// Each may be missing: the library's default is GPT-2's.
  private static func checkSemantics(_ json: JSONObject) throws(FormatError) {
    if try json["model_type"] != nil, try json.string("model_type") != "gpt2" {
      throw json.mismatch(
        "model_type", expected: "'gpt2'", found: "'\(try json.string("model_type").shortened)'")
    }
    if let tied = try json["tie_word_embeddings"] {
      guard case .boolean = tied else {
        throw json.mismatch("tie_word_embeddings", expected: "true or false", found: tied.kind)
      }
    }
    for (field, expected) in [
      ("scale_attn_weights", true), ("scale_attn_by_inverse_layer_idx", false),
      ("add_cross_attention", false),
    ] {
      guard let found = try json[field] else { continue }
      guard case .boolean(expected) = found else {
        throw json.mismatch(field, expected: "\(expected)", found: found.kind)
      }
    }
  }
}

// MARK: - Writing

extension HuggingFaceConfiguration {
  /// What `transformers` needs to load the model and to generate with it.
  ///
  /// - Parameter source: of the model that this one was read from, whose fields stay but for what the model and its
  ///   numbers say.
  static func text(
    _ configuration: Configuration, precision: Precision, source: HuggingFaceConfiguration? = nil
  ) -> String {
    guard let source else { return indented(fields(configuration, precision: precision)) }
    var fields = source.fields
    // The newer name of torch_dtype.
    let numbers = fields.contains { $0.name == "dtype" } ? "dtype" : "torch_dtype"
    let kept: Set<String> = ["bos_token_id", "eos_token_id"]
    for (name, value) in Self.fields(configuration, precision: precision) {
      let name = name == "torch_dtype" ? numbers : name
      guard let index = fields.firstIndex(where: { $0.name == name }) else {
        fields.append((name, value))
        continue
      }
      let isSame =
        name == "activation_function" && source.configuration.activation == configuration.activation
      if !isSame, !kept.contains(name) { fields[index].value = value }
    }
    return indented(fields)
  }

  private static func indented(_ fields: [(name: String, value: JSONText)]) -> String {
    JSONText.object(fields.map { ($0.name, $0.value) }).indented + "\n"
  }

  private static func fields(
    _ configuration: Configuration, precision: Precision
  ) -> [(name: String, value: JSONText)] {
    // GPT-2's end-of-text token is the last of its vocabulary; of another nothing is known.
    let endOfText: JSONText = configuration.vocabularySize == 50257 ? .integer(50256) : .null
    let activation = activations.first { $0.activation == configuration.activation }?.name
    return [
      ("model_type", .text("gpt2")), ("architectures", .array([.text("GPT2LMHeadModel")])),
      ("activation_function", .text(activation)),
      ("n_positions", .integer(configuration.maximumSequenceLength)),
      ("n_ctx", .integer(configuration.maximumSequenceLength)), ("n_embd", .integer(configuration.channels)),
      ("n_layer", .integer(configuration.layers)), ("n_head", .integer(configuration.heads)),
      ("n_inner", .null),
      ("vocab_size", .integer(configuration.vocabularySize)),
      ("layer_norm_epsilon", .double(configuration.layerNormEpsilon)),
      ("tie_word_embeddings", .boolean(true)), ("bos_token_id", endOfText), ("eos_token_id", endOfText),
      ("torch_dtype", .text(precision.rawValue)),
    ]
  }
}
