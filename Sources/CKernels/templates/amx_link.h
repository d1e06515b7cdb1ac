// acc + 32 products of bfloat16, as AMX's instruction adds them:
//
//   even = Σ even a · even b     odd = Σ odd a · odd b     each 16 fused multiply-adds in ascending order, from +0
//   acc = acc + (even + odd)
//
// each step rounded to nearest even, with operands and results smaller than any normal number taken for zeros of their
// sign. (Intel SDM volume 2, TDPBF16PS.) Whether a product's sum is that small is judged after rounding to 24 bits, as in
// bf16_dot.h; a plain sum that small is exact. A NaN is a NaN: which one is open.

// One lane, one multiply-add after the other. From x on, the pairs of a row; from y on, those of a column, a panel apart.
static __attribute__((noinline)) void amx_chains_of_lanes(const uint16_t *x, const uint16_t *y, float *even, float *odd) {
  for (int lane = 0; lane < LANES; lane++) {
    float sums[2] = {0, 0};
    for (int t = 0; t < AMX_PAIRS; t++) {
      for (int i = 0; i < 2; i++) {
        uint32_t a = (uint32_t)x[2 * t + i] << 16, b = (uint32_t)y[2 * (t * CK_BF16_PANEL + lane) + i] << 16;
        sums[i] = float_from_bits(
            fused_flushed(float_from_bits(flushed(a)), float_from_bits(flushed(b)), sums[i]));
      }
    }
    even[lane] = sums[0];
    odd[lane] = sums[1];
  }
}

// One row of A against 16 columns of a panel of B.
INLINE vf amx_link(vf acc, const uint16_t *x, const uint16_t *y) {
  vi upper = vi_set1((int)0xffff0000u);
  vf even = v_zero(), odd = v_zero();
  int is_special = 0;
  for (int t = 0; t < AMX_PAIRS; t++) {
    uint32_t bits;
    __builtin_memcpy(&bits, x + 2 * t, sizeof bits);
    vi a = vi_set1((int)bits), b = vi_load(y + 2 * t * CK_BF16_PANEL);
    even = v_fma(v_flush(v_from_bits(vi_upper(a))), v_flush(v_from_bits(vi_upper(b))), even);
    odd = v_fma(v_flush(v_from_bits(vi_and(a, upper))), v_flush(v_from_bits(vi_and(b, upper))), odd);
    is_special |= v_any_special(even) | v_any_special(odd);
    even = v_flush(even);
    odd = v_flush(odd);
  }
  if (is_special) {
    float chains[2][LANES];
    amx_chains_of_lanes(x, y, chains[0], chains[1]);
    even = v_load(chains[0]);
    odd = v_load(chains[1]);
  }
  return v_flush(v_add(v_flush(acc), v_flush(v_add(even, odd))));
}
