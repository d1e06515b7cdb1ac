// What AVX512_BF16 adds to AVX-512's vectors: a link of a sum, and rounding (templates/bf16_dot.h, bf16_pack.h).
#pragma once

#define BF16_DOT
INLINE vf v_dot(vf acc, vi a, vi b) { return _mm512_dpbf16_ps(acc, (__m512bh)a, (__m512bh)b); }

#define BF16_ROUND
INLINE void bf16_round(const float *x, long n, uint16_t *y) {
  long i = 0;
  for (; i + 2 * LANES <= n; i += 2 * LANES)
    vi_store(y + i, (vi)_mm512_cvtne2ps_pbh(v_load(x + i + LANES), v_load(x + i)));
  for (; i < n; i += LANES) {
    long left = n - i;
    __m256i halves = (__m256i)_mm512_cvtneps_pbh(v_load_some(x + i, left));
    if (left >= LANES) _mm256_storeu_si256((__m256i *)(y + i), halves);
    else _mm256_mask_storeu_epi16(y + i, v_tail(left), halves);
  }
}
INLINE vi v_rounded(vf first, vf second) { return (vi)_mm512_cvtne2ps_pbh(second, first); }
INLINE vi v_rounded_pairs(vf even, vf odd) {
  static const uint16_t order[2 * LANES] = {0, 16, 1, 17, 2,  18, 3,  19, 4,  20, 5,  21, 6,  22, 7,  23,
                                            8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
  return _mm512_permutexvar_epi16(vi_load(order), v_rounded(even, odd));
}
