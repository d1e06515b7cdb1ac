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
#include "vector/avx512_bf16.h"
#include "templates/exponential.h"
#include "templates/rows.h"
#include "templates/gelu.h"
#include "templates/gemm_epilogue.h"
#include "templates/gemm_prefetch.h"
#include "templates/gemm_pack.h"
#include "templates/gemm_store.h"
#include "templates/convert.h"
#include "templates/bf16_table.h"
#include "templates/bf16_rows.h"
#include "templates/dropout.h"
#include "templates/attention_tile.h"
#include "templates/attention.h"
#include "templates/attention_forward.h"
#include "templates/bf16_attention_table.h"

const ck_bf16 ck_bf16_table_avx512_bf16 = BF16_TABLE("avx512_bf16");
const ck_bf16_attention ck_bf16_attention_table_avx512_bf16 = BF16_ATTENTION_TABLE;
#pragma clang attribute pop
#endif
