import AMXEmulator
import Operators
import Reference

extension TileUnit {
  /// Whether AMX's instructions can be executed: by the processor, or from now on by the emulator.
  package static let canExecute = amx_is_missing() != 0 ? amx_emulate() == 0 : current == .amx

  /// The set's multiply-adds, and beside AVX-512 AMX's real instructions.
  package static func all(beside set: InstructionSet) -> [TileUnit] {
    let own = TileUnit.emulated("the test wants it so")
    return set == .avx512 && canExecute ? [own, .amx] : [own]
  }
}

extension PairedOrder {
  /// What the reference calls it.
  public var reference: ReferencePairs.Order {
    switch self {
    case .pairs: .pairs
    case .tiles: .tiles
    }
  }
}
