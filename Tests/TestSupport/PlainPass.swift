import GPT2
import Operators
import Reference

/// A forward and a backward pass of plain loops: logits (B, T, V), the loss, and each gradient.
public struct PlainPass: Sendable {
  public let exact: [String: [Double]]
  /// The same in float32.
  public let float32: [String: [Double]]

  public init(
    _ configuration: ReferenceConfiguration, parameters: [String: [Float]], activation: Activation,
    batch: TestBatch, dropout: ReferenceDropout? = nil
  ) {
    var double = ReferenceModel(
      configuration: configuration, parameters: parameters.mapValues { $0.map(Double.init) },
      activation: activation.plain)
    double.dropout = dropout
    let (logits, loss) = double.forward(
      batch.inputs, targets: batch.targets, batchSize: batch.batchSize, sequenceLength: batch.sequenceLength)
    double.backward()
    exact = Self.named(logits, loss, double.gradients)
    var float = ReferenceModel(
      configuration: configuration, parameters: parameters, activation: activation.plain)
    float.dropout = dropout
    let (floatLogits, floatLoss) = float.forward(
      batch.inputs, targets: batch.targets, batchSize: batch.batchSize, sequenceLength: batch.sequenceLength)
    float.backward()
    float32 = Self.named(
      floatLogits.map(Double.init), Double(floatLoss), float.gradients.mapValues { $0.map(Double.init) })
  }

  private static func named(
    _ logits: [Double], _ loss: Double, _ gradients: [String: [Double]]
  ) -> [String: [Double]] {
    var all = ["logits": logits, "loss": [loss]]
    for (name, values) in gradients { all["gradient " + name] = values }
    return all
  }

  /// Normal parameters, scales about 1, rows that pad the vocabulary 0: of the sizes of a trained model's rather than a
  /// new one's, so that no gradient is much smaller than the others.
  public static func parameters(
    _ configuration: ReferenceConfiguration, seed: UInt64, deviation: Double
  ) -> [String: [Float]] {
    var random = TestRandom(seed: seed)
    var parameters: [String: [Float]] = [:]
    for (name, shape) in configuration.tensors {
      let isScale = name.hasPrefix("ln") && name.hasSuffix("w")
      var values: [Float] = random.normal(shape.reduce(1, *), deviation: deviation, mean: isScale ? 1 : 0)
      if name == "wte" {
        for index in configuration.vocabulary * configuration.channels..<values.count { values[index] = 0 }
      }
      parameters[name] = values
    }
    return parameters
  }
}

extension Activation {
  /// The same of the plain loops.
  public var plain: ReferenceGELU {
    switch self {
    case .gelu: .tanh
    case .geluErf: .erf
    case .geluQuintic: .quintic
    }
  }
}
