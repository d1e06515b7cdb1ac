// The kernels for AVX2 and FMA.
#include "tables.h"

#if defined(__x86_64__)
#include <immintrin.h>

#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#include "vector/avx2.h"

#include "templates/table.h"
#pragma clang attribute pop
#endif
