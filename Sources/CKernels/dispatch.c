// What this processor has and this operating system saves, and the tables that this target has. Sources: Intel SDM
// volume 1, 13.3 (XGETBV, XCR0) and 18 (AMX), volume 2, CPUID; AMD APM volume 3, appendix E.
#include "tables.h"

#include <stddef.h>

#if defined(__x86_64__)
#include <cpuid.h>

// Bits of XCR0 that the registers of AVX, of AVX-512 and of AMX need, each with those before.
enum { xcr0_ymm = 0x06, xcr0_zmm = 0xe6, xcr0_tile = 0x600e6 };

static int saves(unsigned long registers) {
  unsigned a, b, c, d;
  if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE)) return 0;
  unsigned low, high;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (((unsigned long)high << 32 | low) & registers) == registers;
}

static uint64_t feature(unsigned word, unsigned bit, uint64_t name) { return word & bit ? name : 0; }

uint64_t ck_features(void) {
  unsigned a, b, c, d, last;
  uint64_t found = 0;
  if (!saves(xcr0_ymm) || !__get_cpuid(1, &a, &b, &c, &d)) return 0;
  found |= feature(c, bit_FMA, CK_FMA);
  if (!__get_cpuid_count(7, 0, &last, &b, &c, &d)) return found;
  found |= feature(b, bit_AVX2, CK_AVX2);
  if (!saves(xcr0_zmm)) return found;
  found |= feature(b, bit_AVX512F, CK_AVX512F) | feature(b, bit_AVX512DQ, CK_AVX512DQ);
  found |= feature(b, bit_AVX512BW, CK_AVX512BW) | feature(b, bit_AVX512VL, CK_AVX512VL);
  found |= feature(c, bit_AVX512VNNI, CK_AVX512_VNNI);
  if (saves(xcr0_tile)) {
    found |= feature(d, bit_AMXTILE, CK_AMX_TILE) | feature(d, bit_AMXINT8, CK_AMX_INT8);
    found |= feature(d, bit_AMXBF16, CK_AMX_BF16);
  }
  if (last >= 1 && __get_cpuid_count(7, 1, &a, &b, &c, &d))
    found |= feature(a, bit_AVX512BF16, CK_AVX512_BF16);
  return found;
}

const ck_kernels *ck_kernels_avx2(void) { return &ck_table_avx2; }
const ck_kernels *ck_kernels_avx512(void) { return &ck_table_avx512; }
const ck_bf16 *ck_bf16_avx512_bf16(void) { return &ck_bf16_table_avx512_bf16; }
const ck_bf16_attention *ck_bf16_attention_avx512_bf16(void) { return &ck_bf16_attention_table_avx512_bf16; }
const ck_bf16 *ck_bf16_amx(void) { return &ck_bf16_table_amx; }
#else
uint64_t ck_features(void) { return 0; }

const ck_kernels *ck_kernels_avx2(void) { return NULL; }
const ck_kernels *ck_kernels_avx512(void) { return NULL; }
const ck_bf16 *ck_bf16_avx512_bf16(void) { return NULL; }
const ck_bf16_attention *ck_bf16_attention_avx512_bf16(void) { return NULL; }
const ck_bf16 *ck_bf16_amx(void) { return NULL; }
double ck_int8_peak(long iterations) {
  (void)iterations;
  return 0.0;
}
#endif

const ck_kernels *ck_kernels_portable(void) { return &ck_table_portable; }
