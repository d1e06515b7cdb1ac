import AMXEmulator
import Testing

/// The stand-in for AMX's instructions does what the manual says. Where the processor has the unit there is nothing to
/// stand in for.
@Suite(.enabled(if: amx_is_missing() != 0)) struct AMXEmulatorTests {
  init() { #expect(amx_emulate() == 0) }

  @Test func configurationsComeBack() { #expect(amx_check_configuration() == 0, "the line of checks.c") }

  @Test func tilesAreLoadedFromEveryKindOfAddress() {
    for seed in 1...500 as ClosedRange<UInt64> {
      #expect(amx_check_loads(seed) == 0, "the line of checks.c, with seed \(seed)")
    }
  }

  @Test func dotsAreThoseOfPlainLoops() {
    for seed in 1...500 as ClosedRange<UInt64> {
      #expect(amx_check_dots(seed) == 0, "the line of checks.c, with seed \(seed)")
    }
  }

  @Test func smallNumbersAreFlushedAndChainsKeptApart() {
    #expect(amx_check_rounding() == 0, "the line of checks.c")
  }
}
