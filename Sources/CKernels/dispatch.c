// Which instruction sets this processor has and this operating system saves. Sources: Intel SDM volume 1, 13.3
// (XGETBV, XCR0), volume 2, CPUID; AMD APM volume 3, appendix E.
#include "tables.h"

#include <stddef.h>

#if defined(__x86_64__)
#include <cpuid.h>

enum { xcr0_ymm = 0x06, xcr0_zmm = 0xe6 };

static unsigned long saved_registers(void) {
  unsigned a, b, c, d;
  if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE)) return 0;
  unsigned low, high;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (unsigned long)high << 32 | low;
}

static int has_avx2(void) {
  unsigned a, b, c, d;
  if ((saved_registers() & xcr0_ymm) != xcr0_ymm) return 0;
  if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_FMA)) return 0;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_AVX2);
}

static int has_avx512(void) {
  const unsigned needed = bit_AVX512F | bit_AVX512DQ | bit_AVX512BW | bit_AVX512VL;
  unsigned a, b, c, d;
  if (!has_avx2() || (saved_registers() & xcr0_zmm) != xcr0_zmm) return 0;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & needed) == needed;
}

const ck_kernels *ck_kernels_avx2(void) { return has_avx2() ? &ck_table_avx2 : NULL; }
const ck_kernels *ck_kernels_avx512(void) { return has_avx512() ? &ck_table_avx512 : NULL; }
#else
const ck_kernels *ck_kernels_avx2(void) { return NULL; }
const ck_kernels *ck_kernels_avx512(void) { return NULL; }
#endif

const ck_kernels *ck_kernels_portable(void) { return &ck_table_portable; }
