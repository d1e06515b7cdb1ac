// Products of bfloat16 for AVX512_BF16, beside the kernels for AVX-512.
#include "tables.h"

#if defined(__x86_64__)
#include <immintrin.h>

#pragma clang attribute push( \
    __attribute__((target("avx512bf16,avx512f,avx512dq,avx512bw,avx512vl,avx2,fma"))), apply_to = function)
#include "vector/avx512.h"

#pragma STDC FP_CONTRACT OFF
#pragma clang diagnostic error "-Wswitch"

#include "templates/lanes.h"

#define BF16_DOT
INLINE vf v_dot(vf acc, vi a, vi b) { return _mm512_dpbf16_ps(acc, (__m512bh)a, (__m512bh)b); }

#define BF16_ROUND
static void bf16_round(const float *x, long n, uint16_t *y) {
  for (long i = 0; i < n; i += LANES) {
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

#include "templates/exponential.h"
#include "templates/rows.h"
#include "templates/gelu.h"
#include "templates/gemm_epilogue.h"
#include "templates/gemm_prefetch.h"
#include "templates/gemm_pack.h"
#include "templates/gemm_store.h"
#include "templates/bf16_table.h"
#include "templates/bf16_rows.h"
#include "templates/attention_tile.h"
#include "templates/attention.h"
#include "templates/attention_forward.h"
#include "templates/bf16_attention_table.h"

const ck_bf16 ck_bf16_table_avx512_bf16 = BF16_TABLE("avx512_bf16");
const ck_bf16_attention ck_bf16_attention_table_avx512_bf16 = BF16_ATTENTION_TABLE;
#pragma clang attribute pop
#endif
