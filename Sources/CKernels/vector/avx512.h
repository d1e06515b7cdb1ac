// Sixteen-lane vectors as AVX-512 registers. The primitives are described in portable.h.
#pragma once

#define INLINE static inline __attribute__((always_inline))
#define LANES CK_LANES
#define ISA_NAME(name) name##_avx512

// acc 8·3 + B 3 + A 1 = 28/32 registers.
#define MR 8
#define NV 3
#define NR (NV * LANES)

// Panels of A in place that follow each other under a panel of B: one, which stays in L1 while B passes.
#define A_IN_PLACE_PANELS 1

// Up to so many rows of A, B is read in place.
#define B_IN_PLACE_ROWS 96

// Attention's tile: acc 12·2 + B 2 + A 1 = 27/32 registers.
#define ATTENTION_MR 12
#define ATTENTION_NV 2

typedef __m512 vf;
typedef __m512i vi;
typedef __mmask16 vm;

INLINE vf v_set1(float x) { return _mm512_set1_ps(x); }
INLINE vf v_zero(void) { return _mm512_setzero_ps(); }
INLINE vf v_load(const float *p) { return _mm512_loadu_ps(p); }
INLINE void v_store(float *p, vf v) { _mm512_storeu_ps(p, v); }
INLINE vm v_tail(long lanes) { return (vm)((1u << lanes) - 1u); }
INLINE vf v_load_tail(const float *p, vm m) { return _mm512_maskz_loadu_ps(m, p); }
INLINE void v_store_tail(float *p, vm m, vf v) { _mm512_mask_storeu_ps(p, m, v); }
INLINE vf v_select_tail(vm m, vf inside, vf outside) { return _mm512_mask_blend_ps(m, outside, inside); }
INLINE vf v_add(vf a, vf b) { return _mm512_add_ps(a, b); }
INLINE vf v_sub(vf a, vf b) { return _mm512_sub_ps(a, b); }
INLINE vf v_mul(vf a, vf b) { return _mm512_mul_ps(a, b); }
INLINE vf v_div(vf a, vf b) { return _mm512_div_ps(a, b); }
INLINE vf v_fma(vf a, vf b, vf c) { return _mm512_fmadd_ps(a, b, c); }
INLINE vf v_sqrt(vf a) { return _mm512_sqrt_ps(a); }
INLINE vf v_max(vf a, vf b) { return _mm512_max_ps(a, b); }
INLINE vf v_min(vf a, vf b) { return _mm512_min_ps(a, b); }
INLINE float v_sum(vf v) {
  __m256 hi = _mm256_castpd_ps(_mm512_extractf64x4_pd(_mm512_castps_pd(v), 1));
  __m256 e = _mm256_add_ps(_mm512_castps512_ps256(v), hi);
  __m128 q = _mm_add_ps(_mm256_castps256_ps128(e), _mm256_extractf128_ps(e, 1));
  __m128 d = _mm_add_ps(q, _mm_movehl_ps(q, q));
  return _mm_cvtss_f32(_mm_add_ss(d, _mm_shuffle_ps(d, d, 1)));
}
INLINE float v_largest(vf v) { return _mm512_reduce_max_ps(v); }
INLINE vi v_bits(vf v) { return _mm512_castps_si512(v); }
INLINE vf v_from_bits(vi v) { return _mm512_castsi512_ps(v); }
INLINE vi vi_set1(int x) { return _mm512_set1_epi32(x); }
INLINE vi vi_add(vi a, vi b) { return _mm512_add_epi32(a, b); }
INLINE vi vi_sub(vi a, vi b) { return _mm512_sub_epi32(a, b); }
INLINE vi vi_half(vi a) { return _mm512_srai_epi32(a, 1); }
INLINE vi vi_and(vi a, vi b) { return _mm512_and_si512(a, b); }
INLINE vi vi_xor(vi a, vi b) { return _mm512_xor_si512(a, b); }
INLINE vi vi_multiply(vi a, uint32_t b, vi *high) {
  __m512i factor = _mm512_set1_epi32((int)b);
  __m512i even = _mm512_mul_epu32(a, factor), odd = _mm512_mul_epu32(_mm512_srli_epi64(a, 32), factor);
  *high = _mm512_mask_blend_epi32(0xaaaa, _mm512_srli_epi64(even, 32), odd);
  return _mm512_mask_blend_epi32(0xaaaa, even, _mm512_slli_epi64(odd, 32));
}
INLINE vf v_at_least(vi a, vi least, vf x) { return _mm512_maskz_mov_ps(_mm512_cmpge_epi32_mask(a, least), x); }
INLINE vi vi_upper(vi a) { return _mm512_slli_epi32(a, 16); }
INLINE vi vi_load(const void *p) { return _mm512_loadu_si512(p); }
INLINE void vi_store(void *p, vi v) { _mm512_storeu_si512(p, v); }
INLINE vi vi_pairs(const uint16_t *even, const uint16_t *odd) {
  __m512i upper = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)odd));
  return _mm512_or_si512(_mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)even)), vi_upper(upper));
}
INLINE vf v_flush(vf x) {
  __m512i bits = _mm512_castps_si512(x);
  __mmask16 small = _mm512_testn_epi32_mask(bits, _mm512_set1_epi32(0x7f800000));
  return _mm512_castsi512_ps(_mm512_mask_and_epi32(bits, small, bits, _mm512_set1_epi32((int)0x80000000u)));
}
INLINE int v_any_special(vf x) {
  __m512i magnitude = _mm512_and_si512(_mm512_castps_si512(x), _mm512_set1_epi32(0x7fffffff));
  return (_mm512_cmpgt_epi32_mask(magnitude, _mm512_set1_epi32(0x7f800000)) |
          _mm512_cmpeq_epi32_mask(magnitude, _mm512_set1_epi32(0x00800000))) != 0;
}
INLINE vi vi_to_exponent(vi a) { return _mm512_slli_epi32(vi_add(a, vi_set1(127)), 23); }

// dst[c][r] = src[r][c] for a 16 × 16 block: pairs, quads, then 128-bit lanes change places. 16 in + 16 out = 32/32.
INLINE void v_transpose(const float *src, long src_stride, float *dst, long dst_stride) {
  __m512 r[16], t[16];
  for (int i = 0; i < 16; i++) r[i] = _mm512_loadu_ps(src + i * src_stride);
  for (int i = 0; i < 16; i += 2) {
    t[i] = _mm512_unpacklo_ps(r[i], r[i + 1]);
    t[i + 1] = _mm512_unpackhi_ps(r[i], r[i + 1]);
  }
  for (int i = 0; i < 16; i += 4) {
    r[i] = _mm512_shuffle_ps(t[i], t[i + 2], 0x44);
    r[i + 1] = _mm512_shuffle_ps(t[i], t[i + 2], 0xee);
    r[i + 2] = _mm512_shuffle_ps(t[i + 1], t[i + 3], 0x44);
    r[i + 3] = _mm512_shuffle_ps(t[i + 1], t[i + 3], 0xee);
  }
  for (int i = 0; i < 4; i++) {
    t[i] = _mm512_shuffle_f32x4(r[i], r[i + 4], 0x88);
    t[i + 4] = _mm512_shuffle_f32x4(r[i], r[i + 4], 0xdd);
    t[i + 8] = _mm512_shuffle_f32x4(r[i + 8], r[i + 12], 0x88);
    t[i + 12] = _mm512_shuffle_f32x4(r[i + 8], r[i + 12], 0xdd);
  }
  for (int i = 0; i < 4; i++) {
    _mm512_storeu_ps(dst + i * dst_stride, _mm512_shuffle_f32x4(t[i], t[i + 8], 0x88));
    _mm512_storeu_ps(dst + (i + 4) * dst_stride, _mm512_shuffle_f32x4(t[i + 4], t[i + 12], 0x88));
    _mm512_storeu_ps(dst + (i + 8) * dst_stride, _mm512_shuffle_f32x4(t[i], t[i + 8], 0xdd));
    _mm512_storeu_ps(dst + (i + 12) * dst_stride, _mm512_shuffle_f32x4(t[i + 4], t[i + 12], 0xdd));
  }
}
