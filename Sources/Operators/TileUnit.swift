import Machine

/// Who computes products in AMX's order of sums: the same bits either way.
package enum TileUnit: Sendable, Hashable {
  /// AMX: the processor has it, the kernel lets this process use it, and it adds as the portable form does.
  case amx
  /// The instruction set's multiply-adds, slowly, and why.
  case emulated(String)

  /// This process's, beside AVX-512; asked when somebody first multiplies so. The kernel's permission is for all threads.
  package static let current = TileUnit(features: .current, permission: TilePermission.request)

  /// - Parameters:
  ///   - features: what the processor has and the operating system saves.
  ///   - permission: asks the kernel; nil, or its refusal.
  package init(features: ProcessorFeatures, permission: () -> String?) {
    guard features.isSuperset(of: MatrixUnit.amx.requiredFeatures) else {
      self = .emulated("this machine has no AMX")
      return
    }
    if let refusal = permission() {
      self = .emulated("the kernel refuses AMX's tiles to this process: \(refusal)")
      return
    }
    if let difference = Kernels.tileDifference() {
      self = .emulated("this machine's AMX adds \(difference) otherwise than Intel's manual says")
      return
    }
    self = .amx
  }

  /// Beside an instruction set; nil: `current`.
  static func beside(_ set: InstructionSet) -> TileUnit? {
    set == .avx512 ? nil : .emulated("AMX is used beside avx512, not beside \(set.rawValue)")
  }
}
