import Machine

/// Why a model could not do what was asked: one sentence.
public enum ModelError: Error, Equatable, CustomStringConvertible {
  case memory(MemoryError)
  case notPositive(name: String, size: Int)
  case sequenceTooLong(sequenceLength: Int, maximum: Int)
  case wrongCount(name: String, expected: Int, found: Int)
  case tokenOutsideVocabulary(name: String, position: Int, token: Int32, vocabularySize: Int)
  case otherVocabulary(name: String, bound: Int, vocabularySize: Int)
  case untrained(optimizer: String, parameter: String)
  case noForwardPass
  case noGradients
  case nonFiniteLoss(Float)
  case nonFiniteLogits(tokens: Int)
  case nonFiniteGradients(step: Int)

  public var description: String {
    switch self {
    case .memory(let error): error.description
    case .notPositive(let name, let size): "the \(name) should be at least 1, but is \(size)."
    case .sequenceTooLong(let sequenceLength, let maximum):
      "the sequence length should be at most the model's context of \(maximum), but is \(sequenceLength)."
    case .wrongCount(let name, let expected, let found):
      "the \(name) should be \(expected) tokens (batch size × sequence length), but are \(found)."
    case .tokenOutsideVocabulary(let name, let position, let token, let vocabularySize):
      "token \(position) of the \(name) should be within the vocabulary 0..<\(vocabularySize), but is \(token)."
    case .otherVocabulary(let name, let bound, let vocabularySize):
      "the \(name) should be tokens of the model's vocabulary of \(vocabularySize), but are of one of \(bound)."
    case .untrained(let optimizer, let parameter):
      "the optimizer should train all parameters, but \(optimizer) leaves \(parameter) out."
    case .noForwardPass: "the backward pass needs a forward pass with targets before it; there was none."
    case .noGradients: "the update needs a backward pass before it; there was none."
    case .nonFiniteLoss(let loss): "the loss should be finite, but is \(loss.said)."
    case .nonFiniteLogits(let tokens):
      "the logits after \(tokens) token\(tokens == 1 ? "" : "s") should be finite, but are not: the model's parameters are damaged."
    case .nonFiniteGradients(let step):
      "the gradients of update \(step) should be finite, but their norm is not: the training has diverged."
    }
  }

  static func wrapping<Result: ~Copyable>(
    _ body: () throws(MemoryError) -> Result
  ) throws(ModelError) -> Result {
    do { return try body() } catch { throw .memory(error) }
  }
}

extension Float {
  /// As a sentence has it: what is no number has no sign.
  var said: String { isNaN ? "nan" : "\(self)" }
}
