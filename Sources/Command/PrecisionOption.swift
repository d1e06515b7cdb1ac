import ArgumentParser
import GPT2
import Terminal

/// What matrix products multiply.
struct PrecisionOption: ParsableArguments {
  @Option(
    parsing: .unconditional,
    help: """
      What matrix products multiply: fp32, or bf16, which is faster where the processor has a unit for it. Parameters, \
      the optimizer's state, sums and everything else are fp32 in both. It decides the bits of a run.
      """)
  var precision = OperandPrecision.fp32
}
