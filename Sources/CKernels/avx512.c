// The kernels for AVX-512 (F, DQ, BW, VL).
#include "tables.h"

#if defined(__x86_64__)
#include <immintrin.h>

#pragma clang attribute push(__attribute__((target("avx512f,avx512dq,avx512bw,avx512vl,avx2,fma"))), apply_to = function)
#include "vector/avx512.h"

#include "templates/table.h"
#pragma clang attribute pop
#endif
