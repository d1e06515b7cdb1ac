/// A part of a processor that kernels may be built for: chosen by the features it requires, then by priority.
package protocol ProcessorUnit: CaseIterable {
  /// All that its kernels use, the vector registers' features included.
  var requiredFeatures: ProcessorFeatures { get }
  /// Of two that are there, the higher one is faster. No two of a kind have the same.
  var priority: Int { get }
}

extension ProcessorUnit {
  /// Those that a machine with these features has, the best last.
  package static func available(with features: ProcessorFeatures) -> [Self] {
    allCases.filter { features.isSuperset(of: $0.requiredFeatures) }.sorted { $0.priority < $1.priority }
  }
}

/// Units that multiply matrices of narrow elements beside a vector set. Kernels are built for AVX512_BF16 and AMX.
package enum MatrixUnit: String, Sendable, ProcessorUnit {
  /// Dot products of four int8: Cascade Lake (2019), Zen 4 (2022).
  case avx512VNNI = "avx512_vnni"
  /// Dot products of two bfloat16: Cooper Lake (2020), Zen 4 (2022).
  case avx512BF16 = "avx512_bf16"
  /// Tiles of bfloat16: Sapphire Rapids (2023). Its kernels also round with AVX512_BF16, which all that have it have.
  case amx

  package var requiredFeatures: ProcessorFeatures {
    let own: ProcessorFeatures =
      switch self {
      case .avx512VNNI: [.avx512VNNI]
      case .avx512BF16: [.avx512BF16]
      case .amx: [.avx512BF16, .amxTile, .amxBF16]
      }
    return InstructionSet.avx512.requiredFeatures.union(own)
  }

  /// The one whose kernels multiply bfloat16 in the order of pairs beside an instruction set, with the bits of the set's
  /// own; nil: none. (`TileUnit` is that of tiles.)
  package static func forBFloat16(
    beside set: InstructionSet, with features: ProcessorFeatures = .current
  ) -> MatrixUnit? {
    set == .avx512 && features.isSuperset(of: MatrixUnit.avx512BF16.requiredFeatures) ? .avx512BF16 : nil
  }

  package var priority: Int {
    switch self {
    case .avx512VNNI: 0
    case .avx512BF16: 1
    case .amx: 2
    }
  }
}
