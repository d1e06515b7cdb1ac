import ArgumentParser
import GPT2
import Terminal

/// What matrix products multiply.
struct PrecisionOption: ParsableArguments {
  @Option(
    parsing: .unconditional,
    help: """
      What matrix products multiply: fp32; bf16, which is faster where the processor has AVX512_BF16; or bf16-amx, the \
      same with sums in the order of AMX's tiles, for processors that have those. Parameters, the optimizer's state, \
      sums and everything else are fp32 in all. It decides the bits of a run, and is never chosen for you: every \
      machine computes each of them, slowly where it has no unit for it. So far AMX has run under emulation only.
      """)
  var precision = OperandPrecision.fp32
}
