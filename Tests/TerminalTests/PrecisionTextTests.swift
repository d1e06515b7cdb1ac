import GPT2
import Operators
import Terminal
import TestSupport
import Testing

/// What headers say of a precision: who multiplies, and why not somebody else.
@Suite struct PrecisionTextTests {
  private func text(
    _ precision: OperandPrecision, _ set: InstructionSet = .portable, unit: TileUnit? = nil,
    features: ProcessorFeatures = []
  ) throws -> String {
    let context = try ExecutionContext(threads: 1, instructionSet: set, tileUnit: unit)
    return ExecutionOptions.summary(precision, context, features: features)
  }

  @Test func float32NeedsNoWords() throws { #expect(try text(.fp32) == "fp32") }

  @Test func emulationHasItsReason() throws {
    #expect(
      try text(.bf16)
        == "bf16, emulated: portable has no unit for it here, and fp32 is faster; the bits are the same")
    let refused = TileUnit(features: ProcessorFeatures(rawValue: .max)) {
      "No space left on device (errno 28)"
    }
    #expect(
      try text(.bf16AMX, unit: refused)
        == "bf16-amx, emulated: the kernel refuses AMX's tiles to this process: No space left on device (errno 28), "
        + "and fp32 is faster; the bits are the same")
  }

  @Test func aUnitIsNamed() throws {
    guard InstructionSet.available.contains(.avx512) else { return }
    #expect(try text(.bf16AMX, .avx512, unit: .amx) == "bf16-amx (amx)")
  }

  /// AMX's order is not chosen in silence: a machine that has it is told of.
  @Test func machinesWithAMXAreTold() throws {
    let hint = "; this machine has AMX: bf16-amx, with sums of its own, should be faster"
    let every = ProcessorFeatures(rawValue: .max)
    #expect(try text(.bf16, features: every).hasSuffix(hint))
    for feature in [ProcessorFeatures.amxTile, .amxBF16] {
      #expect(try !text(.bf16, features: every.subtracting(feature)).contains("AMX"))
    }
    #expect(try !text(.fp32, features: every).contains("AMX"))
  }
}
