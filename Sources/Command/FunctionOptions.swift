import ArgumentParser
import Operators

/// What a model computes with its parameters, where a checkpoint does not say it or is to be overruled.
struct FunctionOptions: ParsableArguments {
  @Option(
    parsing: .unconditional,
    help: "The feed-forward block's non-linearity. (default: the checkpoint's, else gelu, which is GPT-2's)")
  var activation: Activation?
}
