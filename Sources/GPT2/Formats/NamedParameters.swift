import Machine
import Operators

/// A model's parameters as tensors by Hugging Face's names, in whatever files: each is there, with its shape.
struct NamedParameters: Sendable {
  /// How a program stores what it saves by these names.
  struct Convention {
    /// Whether the weights of the linear layers are `Conv1D`'s, (in, out), and not (out, in).
    var isTransposed = true
    /// Whether biases may be missing, all of them, and are zero then.
    var mayLackBiases = false
    /// Whether the head is the embedding also where a tensor of its own is missing.
    var isHeadTied = true
    /// What names may begin with.
    var prefixes = [HuggingFaceTensors.prefix]
  }

  let configuration: Configuration
  /// The coarsest of the tensors'.
  let precision: Precision
  /// What was passed over, or put in a missing tensor's place: sentences.
  private(set) var notes: [String] = []
  private let convention: Convention
  /// By name, without the prefix.
  private let tensors: [String: StoredTensor]

  /// - Parameters:
  ///   - vocabularySize: rows of the embedding as it is stored; those beyond the configuration's pad it.
  ///   - path: names what holds all of them, for errors.
  /// - Throws: `FormatError`, naming the tensor that is off.
  init(
    _ stored: [StoredTensor], of configuration: Configuration, vocabularySize: Int, convention: Convention,
    path: String
  ) throws(FormatError) {
    self.configuration = configuration
    self.convention = convention
    var others = try Self.byName(stored, convention)
    let heads = others.filter { !HuggingFaceTensors.isOfModel($0.value.entry.name, in: convention) }
    for name in heads.keys { others[name] = nil }
    tensors = others
    let check = Check(
      configuration: configuration, vocabularySize: vocabularySize, convention: convention, path: path)
    let found = try check.parts(&others)
    precision = found.precision
    try check.head(others.removeValue(forKey: HuggingFaceTensors.head), embedding: tensors["wte.weight"])
    if let other = others.keys.min() {
      throw .mismatch(
        path: path, field: "the tensor \(other.shortened)", expected: "one that GPT-2 has", found: "unknown")
    }
    if !heads.isEmpty {
      let names = heads.keys.sorted()
      let more = names.count > 4 ? " and \(names.count - 4) more" : ""
      notes.append(
        "\(path): \(names.prefix(4).map(\.shortened).joined(separator: ", "))\(more): no part of GPT-2's language model,"
          + " passed over")
    }
    if found.lacksBiases {
      notes.append("\(path): there are no biases: they are zero, which computes the same")
    }
  }

  /// Rows that pad the vocabulary become zero.
  func load(_ part: ParameterPart, into tensor: Tensor, context: ExecutionContext) {
    guard let stored = tensors[HuggingFaceTensors.name(part)], let precision = stored.precision else {
      precondition(part.isBias, "\(part.parameter.name) was there when the checkpoint was opened")
      return tensor.fill(0)
    }
    if convention.isTransposed, HuggingFaceTensors.isMatrix(part) {
      let matrix = tensor.matrix(columns: stored.entry.shape[0])
      stored.withNumbers(tensor.count) {
        Transposition.expand($0, from: precision, y: matrix, context: context)
      }
    } else {
      let count = HuggingFaceTensors.shape(part, configuration).reduce(1, *)
      stored.withNumbers(count) {
        Conversion.expand($0, from: precision, y: tensor.slice(0..<count), context: context)
      }
      tensor.slice(count..<tensor.count).fill(0)
    }
  }

  private static func byName(
    _ stored: [StoredTensor], _ convention: Convention
  ) throws(FormatError) -> [String: StoredTensor] {
    var tensors: [String: StoredTensor] = [:]
    for tensor in stored {
      let name = HuggingFaceTensors.name(tensor.entry.name, in: convention)
      if HuggingFaceTensors.isMask(name) { continue }
      guard tensors.updateValue(tensor, forKey: name) == nil else {
        throw .mismatch(
          path: tensor.file.path, field: "the tensor \(name.shortened)", expected: "there once",
          found: "there twice, with or without '\(convention.prefixes.joined(separator: "', '"))'")
      }
    }
    return tensors
  }
}

/// Whether every tensor of a model is there.
private struct Check {
  let configuration: Configuration
  let vocabularySize: Int
  let convention: NamedParameters.Convention
  let path: String

  /// Takes the model's tensors from `others`, and returns the coarsest precision.
  func parts(
    _ others: inout [String: StoredTensor]
  ) throws(FormatError) -> (precision: Precision, lacksBiases: Bool) {
    let lacksBiases =
      convention.mayLackBiases && !others.keys.contains { $0.hasSuffix(".bias") && $0 != "lm_head.bias" }
    var precision = Precision.float32
    for part in configuration.parameterParts where !(lacksBiases && part.isBias) {
      let name = HuggingFaceTensors.name(part)
      guard let tensor = others.removeValue(forKey: name) else {
        throw .mismatch(path: path, field: "the tensor \(name)", expected: "there", found: "missing")
      }
      try check(tensor, shape: shape(part))
      guard let found = tensor.precision else {
        throw tensor.mismatch("dtype", expected: "F64, F32, BF16 or F16", found: tensor.entry.type)
      }
      if found == .bfloat16 || precision == .float32 { precision = found }
    }
    return (precision, lacksBiases)
  }

  func head(_ head: StoredTensor?, embedding: StoredTensor?) throws(FormatError) {
    guard let head, let embedding else {
      guard convention.isHeadTied else {
        throw .mismatch(
          path: path, field: "the tensor \(HuggingFaceTensors.head)",
          expected: "there, as tie_word_embeddings is false", found: "missing")
      }
      return
    }
    try check(head, shape: [vocabularySize, configuration.channels])
    guard head.hasSameNumbers(as: embedding) else {
      throw .mismatch(
        path: path, field: "the tensor \(HuggingFaceTensors.head)",
        expected: "the same as wte.weight, as GPT-2's head is", found: "another")
    }
  }

  private func shape(_ part: ParameterPart) -> [Int] {
    if part.parameter == .wte { return [vocabularySize, configuration.channels] }
    let shape = part.shape(configuration)
    return convention.isTransposed && HuggingFaceTensors.isMatrix(part) ? shape.reversed() : shape
  }

  private func check(_ tensor: StoredTensor, shape: [Int]) throws(FormatError) {
    guard tensor.entry.shape == shape else {
      throw tensor.mismatch(
        "shape", expected: "\(shape), as the model's sizes say", found: "\(tensor.entry.shape.prefix(8))")
    }
  }
}

extension ParameterPart {
  /// Whether it is added and not multiplied: the biases of linear layers and of layer normalisations.
  fileprivate var isBias: Bool { HuggingFaceTensors.name(self).hasSuffix(".bias") }
}
