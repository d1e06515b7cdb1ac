// Sixteen-lane vectors as pairs of AVX2 registers, with FMA. The primitives are described in portable.h.
#pragma once

#define INLINE static inline __attribute__((always_inline))
#define LANES CK_LANES
#define ISA_NAME(name) name##_avx2

// acc 6·2 + B 2 + A 1 = 15/16 registers.
#define MR 6
#define NV 1
#define NR (NV * LANES)

// Panels of A in place that follow each other under a panel of B.
#define A_IN_PLACE_PANELS 4

// Up to so many rows of A, B is read in place.
#define B_IN_PLACE_ROWS 64

// Attention's tile: acc 6·2 + B 2 + A 1 = 15/16 registers.
#define ATTENTION_MR 6
#define ATTENTION_NV 1

typedef struct { __m256 lo, hi; } vf;
typedef struct { __m256i lo, hi; } vi;
typedef struct { __m256i lo, hi; } vm;

#define BOTH(expression_lo, expression_hi) ((vf){(expression_lo), (expression_hi)})

INLINE vf v_set1(float x) { __m256 v = _mm256_set1_ps(x); return BOTH(v, v); }
INLINE vf v_zero(void) { return v_set1(0.0f); }
INLINE vf v_load(const float *p) { return BOTH(_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)); }
INLINE void v_store(float *p, vf v) { _mm256_storeu_ps(p, v.lo); _mm256_storeu_ps(p + 8, v.hi); }
INLINE vm v_tail(long lanes) {
  __m256i index = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  return (vm){_mm256_cmpgt_epi32(_mm256_set1_epi32((int)lanes), index),
              _mm256_cmpgt_epi32(_mm256_set1_epi32((int)lanes - 8), index)};
}
// A masked lane is never touched in memory, also across a page's end (Intel SDM, VMASKMOV: no fault where the mask is 0).
INLINE vf v_load_tail(const float *p, vm m) {
  return BOTH(_mm256_maskload_ps(p, m.lo), _mm256_maskload_ps(p + 8, m.hi));
}
INLINE void v_store_tail(float *p, vm m, vf v) {
  _mm256_maskstore_ps(p, m.lo, v.lo);
  _mm256_maskstore_ps(p + 8, m.hi, v.hi);
}
INLINE vf v_select_tail(vm m, vf inside, vf outside) {
  return BOTH(_mm256_blendv_ps(outside.lo, inside.lo, _mm256_castsi256_ps(m.lo)),
              _mm256_blendv_ps(outside.hi, inside.hi, _mm256_castsi256_ps(m.hi)));
}
INLINE vf v_add(vf a, vf b) { return BOTH(_mm256_add_ps(a.lo, b.lo), _mm256_add_ps(a.hi, b.hi)); }
INLINE vf v_sub(vf a, vf b) { return BOTH(_mm256_sub_ps(a.lo, b.lo), _mm256_sub_ps(a.hi, b.hi)); }
INLINE vf v_mul(vf a, vf b) { return BOTH(_mm256_mul_ps(a.lo, b.lo), _mm256_mul_ps(a.hi, b.hi)); }
INLINE vf v_div(vf a, vf b) { return BOTH(_mm256_div_ps(a.lo, b.lo), _mm256_div_ps(a.hi, b.hi)); }
INLINE vf v_fma(vf a, vf b, vf c) {
  return BOTH(_mm256_fmadd_ps(a.lo, b.lo, c.lo), _mm256_fmadd_ps(a.hi, b.hi, c.hi));
}
INLINE vf v_sqrt(vf a) { return BOTH(_mm256_sqrt_ps(a.lo), _mm256_sqrt_ps(a.hi)); }
INLINE vf v_max(vf a, vf b) { return BOTH(_mm256_max_ps(a.lo, b.lo), _mm256_max_ps(a.hi, b.hi)); }
INLINE vf v_min(vf a, vf b) { return BOTH(_mm256_min_ps(a.lo, b.lo), _mm256_min_ps(a.hi, b.hi)); }
INLINE float v_sum(vf v) {
  __m256 e = _mm256_add_ps(v.lo, v.hi);
  __m128 q = _mm_add_ps(_mm256_castps256_ps128(e), _mm256_extractf128_ps(e, 1));
  __m128 d = _mm_add_ps(q, _mm_movehl_ps(q, q));
  return _mm_cvtss_f32(_mm_add_ss(d, _mm_shuffle_ps(d, d, 1)));
}
INLINE float v_largest(vf v) {
  __m256 e = _mm256_max_ps(v.lo, v.hi);
  __m128 q = _mm_max_ps(_mm256_castps256_ps128(e), _mm256_extractf128_ps(e, 1));
  __m128 d = _mm_max_ps(q, _mm_movehl_ps(q, q));
  return _mm_cvtss_f32(_mm_max_ss(d, _mm_shuffle_ps(d, d, 1)));
}
INLINE vi v_bits(vf v) { return (vi){_mm256_castps_si256(v.lo), _mm256_castps_si256(v.hi)}; }
INLINE vf v_from_bits(vi v) { return BOTH(_mm256_castsi256_ps(v.lo), _mm256_castsi256_ps(v.hi)); }
INLINE vi vi_set1(int x) { __m256i v = _mm256_set1_epi32(x); return (vi){v, v}; }
INLINE vi vi_add(vi a, vi b) { return (vi){_mm256_add_epi32(a.lo, b.lo), _mm256_add_epi32(a.hi, b.hi)}; }
INLINE vi vi_sub(vi a, vi b) { return (vi){_mm256_sub_epi32(a.lo, b.lo), _mm256_sub_epi32(a.hi, b.hi)}; }
INLINE vi vi_half(vi a) { return (vi){_mm256_srai_epi32(a.lo, 1), _mm256_srai_epi32(a.hi, 1)}; }
INLINE vi vi_and(vi a, vi b) { return (vi){_mm256_and_si256(a.lo, b.lo), _mm256_and_si256(a.hi, b.hi)}; }
INLINE vi vi_xor(vi a, vi b) { return (vi){_mm256_xor_si256(a.lo, b.lo), _mm256_xor_si256(a.hi, b.hi)}; }
INLINE __m256i multiply_8(__m256i a, __m256i b, __m256i *high) {
  __m256i even = _mm256_mul_epu32(a, b), odd = _mm256_mul_epu32(_mm256_srli_epi64(a, 32), b);
  *high = _mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xaa);
  return _mm256_blend_epi32(even, _mm256_slli_epi64(odd, 32), 0xaa);
}
INLINE vi vi_multiply(vi a, uint32_t b, vi *high) {
  __m256i factor = _mm256_set1_epi32((int)b);
  return (vi){multiply_8(a.lo, factor, &high->lo), multiply_8(a.hi, factor, &high->hi)};
}
INLINE vf v_at_least(vi a, vi least, vf x) {
  return BOTH(_mm256_andnot_ps(_mm256_castsi256_ps(_mm256_cmpgt_epi32(least.lo, a.lo)), x.lo),
              _mm256_andnot_ps(_mm256_castsi256_ps(_mm256_cmpgt_epi32(least.hi, a.hi)), x.hi));
}
INLINE vi vi_upper(vi a) { return (vi){_mm256_slli_epi32(a.lo, 16), _mm256_slli_epi32(a.hi, 16)}; }
INLINE vi vi_load(const void *p) {
  return (vi){_mm256_loadu_si256((const __m256i *)p), _mm256_loadu_si256((const __m256i *)p + 1)};
}
INLINE void vi_store(void *p, vi v) {
  _mm256_storeu_si256((__m256i *)p, v.lo);
  _mm256_storeu_si256((__m256i *)p + 1, v.hi);
}
INLINE __m256i pairs_8(const uint16_t *even, const uint16_t *odd) {
  __m256i upper = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)odd));
  return _mm256_or_si256(_mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)even)), _mm256_slli_epi32(upper, 16));
}
INLINE vi vi_pairs(const uint16_t *even, const uint16_t *odd) {
  return (vi){pairs_8(even, odd), pairs_8(even + 8, odd + 8)};
}
INLINE __m256 flush_8(__m256 x) {
  __m256i bits = _mm256_castps_si256(x), exponent = _mm256_and_si256(bits, _mm256_set1_epi32(0x7f800000));
  __m256i small = _mm256_cmpeq_epi32(exponent, _mm256_setzero_si256());
  return _mm256_castsi256_ps(_mm256_andnot_si256(_mm256_and_si256(small, _mm256_set1_epi32(0x7fffffff)), bits));
}
INLINE vf v_flush(vf x) { return BOTH(flush_8(x.lo), flush_8(x.hi)); }
INLINE __m256i special_8(__m256 x) {
  __m256i magnitude = _mm256_and_si256(_mm256_castps_si256(x), _mm256_set1_epi32(0x7fffffff));
  return _mm256_or_si256(_mm256_cmpgt_epi32(magnitude, _mm256_set1_epi32(0x7f800000)),
                         _mm256_cmpeq_epi32(magnitude, _mm256_set1_epi32(0x00800000)));
}
INLINE int v_any_special(vf x) { return _mm256_movemask_epi8(_mm256_or_si256(special_8(x.lo), special_8(x.hi))) != 0; }
INLINE vi vi_to_exponent(vi a) {
  vi biased = vi_add(a, vi_set1(127));
  return (vi){_mm256_slli_epi32(biased.lo, 23), _mm256_slli_epi32(biased.hi, 23)};
}

// dst[c][r] = src[r][c] for an 8 × 8 block: halves of rows r and r+4 meet in one register, then two rounds of shuffles.
INLINE void transpose_8x8(const float *src, long ss, float *dst, long ds) {
#define ROWS(r, column) \
  _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(src + (r) * ss + (column))), \
                       _mm_loadu_ps(src + ((r) + 4) * ss + (column)), 1)
  for (int column = 0; column < 8; column += 4) {
    __m256 r0 = ROWS(0, column), r1 = ROWS(1, column), r2 = ROWS(2, column), r3 = ROWS(3, column);
    __m256 a = _mm256_unpacklo_ps(r0, r1), b = _mm256_unpackhi_ps(r0, r1);
    __m256 c = _mm256_unpacklo_ps(r2, r3), d = _mm256_unpackhi_ps(r2, r3);
    _mm256_storeu_ps(dst + (column + 0) * ds, _mm256_shuffle_ps(a, c, 0x44));
    _mm256_storeu_ps(dst + (column + 1) * ds, _mm256_shuffle_ps(a, c, 0xee));
    _mm256_storeu_ps(dst + (column + 2) * ds, _mm256_shuffle_ps(b, d, 0x44));
    _mm256_storeu_ps(dst + (column + 3) * ds, _mm256_shuffle_ps(b, d, 0xee));
  }
#undef ROWS
}

INLINE void v_transpose(const float *src, long src_stride, float *dst, long dst_stride) {
  for (int r = 0; r < LANES; r += 8)
    for (int c = 0; c < LANES; c += 8)
      transpose_8x8(src + r * src_stride + c, src_stride, dst + c * dst_stride + r, dst_stride);
}
