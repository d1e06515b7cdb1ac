/// The order in which products of bfloat16 are summed: each is a numerics of its own, with its own bits, which every
/// machine can compute.
public enum PairedOrder: Sendable, CaseIterable {
  /// AVX512_BF16's: two products to a link, acc ← fma(even, even′, fma(odd, odd′, acc)); chains of 768 products.
  case pairs
  /// AMX's: 32 products to a link, acc ← acc + (Σ even·even′ + Σ odd·odd′), each Σ a chain of 16 multiply-adds from 0; one
  /// chain of links, which begins with what is added to, and then the bias.
  case tiles
}
