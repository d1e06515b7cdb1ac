// The limit of AVX512_VNNI: no kernel uses it yet.
#include "tables.h"

#if defined(__x86_64__)
#include <immintrin.h>

#pragma clang attribute push( \
    __attribute__((target("avx512vnni,avx512f,avx512dq,avx512bw,avx512vl,avx2,fma"))), apply_to = function)
#include "vector/avx512.h"

#include "templates/lanes.h"

// As many independent accumulators as the GEMM's tile.
double ck_int8_peak(long iterations) {
  static const int start[LANES] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  vi acc[MR * NV], factor = vi_set1(0x01020304), other = vi_set1(0x01ff02fe);
  UNROLL for (int i = 0; i < MR * NV; i++) acc[i] = vi_add(vi_load(start), vi_set1(i));
  for (long t = 0; t < iterations; t++)
    UNROLL for (int i = 0; i < MR * NV; i++) acc[i] = _mm512_dpbusd_epi32(acc[i], factor, other);
  vi sum = vi_set1(0);
  UNROLL for (int i = 0; i < MR * NV; i++) sum = vi_add(sum, acc[i]);
  volatile int keep = _mm512_reduce_add_epi32(sum);
  (void)keep;
  return 8.0 * LANES * MR * NV * (double)iterations;
}
#pragma clang attribute pop
#endif
