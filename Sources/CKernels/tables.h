// The tables that the instruction sets' files fill in (templates/table.h).
#pragma once

#include "CKernels.h"

extern const ck_kernels ck_table_portable;
#if defined(__x86_64__)
extern const ck_kernels ck_table_avx2;
extern const ck_kernels ck_table_avx512;
extern const ck_bf16 ck_bf16_table_avx512_bf16;
extern const ck_bf16_attention ck_bf16_attention_table_avx512_bf16;
extern const ck_bf16 ck_bf16_table_amx;
#endif
