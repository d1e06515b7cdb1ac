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

#include "templates/exponential.h"
#include "templates/rows.h"
#include "templates/gelu.h"
#include "templates/gemm_epilogue.h"
#include "templates/gemm_prefetch.h"
#include "templates/gemm_store.h"
#include "templates/bf16_table.h"

const ck_bf16 ck_bf16_table_avx512_bf16 = BF16_TABLE("avx512_bf16");
#pragma clang attribute pop
#endif
