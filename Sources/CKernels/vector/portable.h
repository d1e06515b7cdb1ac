// Sixteen-lane vectors in plain C (clang's vector extension): every target, no intrinsics.
//
// The primitives of an instruction set, under the same names in each header of this folder:
//   vf            16 floats                 vi  16 int32              vm  a mask of leading lanes
//   v_fma(a,b,c)  a·b + c, rounded once     v_max/v_min(a,b)  b when either is NaN
//   vi_multiply(a,b,&high)  the lower halves of the products, and the upper ones, without signs
//   v_at_least(a,b,x)  x where a ≥ b, with signs, and 0 elsewhere
//   vi_upper      the lower halves as upper ones; vi_pairs  even[i] in the lower half of a lane, odd[i] in the upper
//   v_flush       zeros of their sign for what is smaller than any normal number
//   v_any_special whether a lane is NaN, or the smallest normal number or its negative
//   v_sum         a fixed tree: lanes i and i+8, then i+4, i+2, i+1: the same bits on every instruction set
#pragma once

#include <string.h>

#define INLINE static inline __attribute__((always_inline))
#define LANES CK_LANES
#define ISA_NAME(name) name##_portable

// acc 4·4 + B 4 + A 1 = 21/32 registers of 4 lanes (NEON).
#define MR 4
#define NV 1
#define NR (NV * LANES)

// Panels of A in place that follow each other under a panel of B.
#define A_IN_PLACE_PANELS 4

// Up to so many rows of A, B is read in place.
#define B_IN_PLACE_ROWS 64

// Attention's tile: acc 4·4 + B 4 + A 1 = 21/32 registers of 4 lanes (NEON).
#define ATTENTION_MR 4
#define ATTENTION_NV 1

typedef float vf __attribute__((ext_vector_type(16)));
typedef int vi __attribute__((ext_vector_type(16)));
typedef int vm;

INLINE vf v_set1(float x) { return (vf)(x); }
INLINE vf v_zero(void) { return v_set1(0.0f); }
INLINE vf v_load(const float *p) { vf v; memcpy(&v, p, sizeof v); return v; }
INLINE void v_store(float *p, vf v) { memcpy(p, &v, sizeof v); }
INLINE vm v_tail(long lanes) { return (int)lanes; }
INLINE vf v_load_tail(const float *p, vm lanes) {
  vf v = v_zero();
  for (int i = 0; i < lanes; i++) v[i] = p[i];
  return v;
}
INLINE void v_store_tail(float *p, vm lanes, vf v) {
  for (int i = 0; i < lanes; i++) p[i] = v[i];
}
INLINE vf v_select_tail(vm lanes, vf inside, vf outside) {
  for (int i = lanes; i < LANES; i++) inside[i] = outside[i];
  return inside;
}
INLINE vf v_add(vf a, vf b) { return a + b; }
INLINE vf v_sub(vf a, vf b) { return a - b; }
INLINE vf v_mul(vf a, vf b) { return a * b; }
INLINE vf v_div(vf a, vf b) { return a / b; }
INLINE vf v_fma(vf a, vf b, vf c) { return __builtin_elementwise_fma(a, b, c); }
INLINE vf v_sqrt(vf a) { return __builtin_elementwise_sqrt(a); }
INLINE vf v_max(vf a, vf b) { return a > b ? a : b; }
INLINE vf v_min(vf a, vf b) { return a < b ? a : b; }
INLINE float v_sum(vf v) {
  __attribute__((ext_vector_type(8))) float e = v.lo + v.hi;
  __attribute__((ext_vector_type(4))) float q = e.lo + e.hi;
  __attribute__((ext_vector_type(2))) float d = q.lo + q.hi;
  return d.x + d.y;
}
INLINE float v_largest(vf v) {
  float m = v[0];
  for (int i = 1; i < LANES; i++) m = v[i] > m ? v[i] : m;
  return m;
}
INLINE vi v_bits(vf v) { vi r; memcpy(&r, &v, sizeof r); return r; }
INLINE vf v_from_bits(vi v) { vf r; memcpy(&r, &v, sizeof r); return r; }
INLINE vi vi_set1(int x) { return (vi)(x); }
INLINE vi vi_add(vi a, vi b) { return a + b; }
INLINE vi vi_sub(vi a, vi b) { return a - b; }
INLINE vi vi_half(vi a) { return a >> 1; }
INLINE vi vi_and(vi a, vi b) { return a & b; }
INLINE vi vi_xor(vi a, vi b) { return a ^ b; }
INLINE vi vi_multiply(vi a, uint32_t b, vi *high) {
  vi low;
  for (int i = 0; i < LANES; i++) {
    uint64_t product = (uint64_t)(uint32_t)a[i] * b;
    (*high)[i] = (int)(product >> 32);
    low[i] = (int)(uint32_t)product;
  }
  return low;
}
INLINE vf v_at_least(vi a, vi least, vf x) { return v_from_bits(v_bits(x) & (a >= least)); }
INLINE vi vi_upper(vi a) { return a << 16; }
INLINE vi vi_load(const void *p) { vi v; memcpy(&v, p, sizeof v); return v; }
INLINE void vi_store(void *p, vi v) { memcpy(p, &v, sizeof v); }
INLINE vi vi_pairs(const uint16_t *even, const uint16_t *odd) {
  vi v;
  for (int i = 0; i < LANES; i++) v[i] = (int)(even[i] | (uint32_t)odd[i] << 16);
  return v;
}
INLINE vf v_flush(vf x) {
  vi bits = v_bits(x);
  return v_from_bits((bits & 0x7f800000) == 0 ? bits & (int)0x80000000u : bits);
}
INLINE int v_any_special(vf x) {
  vi magnitude = v_bits(x) & 0x7fffffff;
  vi special = magnitude > 0x7f800000 | magnitude == 0x00800000;
  int any = 0;
  for (int i = 0; i < LANES; i++) any |= special[i];
  return any;
}
INLINE vi vi_to_exponent(vi a) { return (vi)((a + 127) << 23); }

// dst[c][r] = src[r][c] for a 16 × 16 block of any words of 32 bits.
INLINE void v_transpose(const float *src, long src_stride, float *dst, long dst_stride) {
  for (int c = 0; c < LANES; c++)
    for (int r = 0; r < LANES; r++) memcpy(dst + c * dst_stride + r, src + r * src_stride + c, sizeof *dst);
}
