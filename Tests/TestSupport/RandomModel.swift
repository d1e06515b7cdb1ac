import GPT2
import Operators

/// A small model whose weights are drawn at random, so large that some tokens are much likelier than others.
public enum RandomModel {
  public static func make(
    vocabulary: Int, context: Int, layers: Int = 2, heads: Int = 2, channels: Int = 16, seed: UInt64 = 90,
    threads: Int = 2, precision: OperandPrecision = .fp32
  ) throws -> Model {
    let configuration = try Configuration(
      maximumSequenceLength: context, vocabularySize: vocabulary, layers: layers, heads: heads,
      channels: channels)
    let model = try Model(
      configuration: configuration, precision: precision, context: ExecutionContext(threads: threads))
    model.initialize(seed: seed)
    for name in ["wte", "qkvw", "fcw"] {
      guard let tensor = model.parameters[name] else { continue }
      for index in 0..<tensor.count { tensor[index] = 12 * tensor[index] }
    }
    return model
  }
}
