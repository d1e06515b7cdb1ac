import ArgumentParser
import GPT2
import Operators
import Terminal

/// What a model computes with its parameters, where a checkpoint does not say it or is to be overruled.
struct FunctionOptions: ParsableArguments {
  @Option(
    parsing: .unconditional,
    help: "The feed-forward block's non-linearity. (default: the checkpoint's, else gelu, which is GPT-2's)")
  var activation: Activation?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "What layer normalisation adds to the variance. (default: the checkpoint's, else \(Configuration.defaultLayerNormEpsilon))",
      valueName: "x"))
  var layerNormEpsilon: Double?

  // Of any model: whether the number is one does not depend on it.
  func validate() throws { _ = try applied(to: Configuration.preset(named: "gpt2")) }

  /// A model's configuration with what the options say in its place.
  func applied(to configuration: Configuration) throws -> Configuration {
    do {
      return try configuration.with(activation: activation, layerNormEpsilon: layerNormEpsilon)
    } catch {
      throw ValidationError(
        namingOption(error, ["the epsilon of layer normalisation": "--layer-norm-epsilon"]))
    }
  }
}
