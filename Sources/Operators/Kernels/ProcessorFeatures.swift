import CKernels

/// What a processor has and its operating system saves the registers of, as far as kernels may require it.
package struct ProcessorFeatures: OptionSet, Sendable {
  package let rawValue: UInt64

  package init(rawValue: UInt64) { self.rawValue = rawValue }

  package static let avx2 = Self(rawValue: UInt64(CK_AVX2))
  package static let fma = Self(rawValue: UInt64(CK_FMA))
  package static let avx512F = Self(rawValue: UInt64(CK_AVX512F))
  package static let avx512DQ = Self(rawValue: UInt64(CK_AVX512DQ))
  package static let avx512BW = Self(rawValue: UInt64(CK_AVX512BW))
  package static let avx512VL = Self(rawValue: UInt64(CK_AVX512VL))
  package static let avx512VNNI = Self(rawValue: UInt64(CK_AVX512_VNNI))
  package static let avx512BF16 = Self(rawValue: UInt64(CK_AVX512_BF16))
  package static let amxTile = Self(rawValue: UInt64(CK_AMX_TILE))
  package static let amxInt8 = Self(rawValue: UInt64(CK_AMX_INT8))
  package static let amxBF16 = Self(rawValue: UInt64(CK_AMX_BF16))

  /// Those of this machine.
  package static let current = Self(rawValue: ck_features())
}
