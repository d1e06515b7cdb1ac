// acc + the products of two pairs of bfloat16, as AVX512_BF16's instruction adds them:
//
//   first = fma(odd a, odd b, acc)   acc = fma(even a, even b, first)
//
// each rounded to nearest even, with operands and results smaller than any normal number taken for zeros of their sign.
// (Intel SDM volume 2, VDPBF16PS.) Whether a result is that small is judged after rounding to 24 bits: only one that
// float rounds up to the smallest normal number needs a second look. A NaN comes from the even element of a, else of b,
// else the odd one of a, of b, else acc, and becomes quiet; what has no value at all is the negative quiet NaN. So Zen 4
// and 5 do it; Intel states no rule for which of several NaNs remains.
//
// An instruction set whose own instruction does this defines BF16_DOT, and v_dot.

#ifndef BF16_DOT
INLINE float float_from_bits(uint32_t bits) { float x; __builtin_memcpy(&x, &bits, sizeof x); return x; }
INLINE uint32_t bits_of_float(float x) { uint32_t bits; __builtin_memcpy(&bits, &x, sizeof bits); return bits; }
INLINE int is_nan_pattern(uint32_t bits) { return (bits & 0x7fffffffu) > 0x7f800000u; }
INLINE uint32_t flushed(uint32_t bits) { return bits & 0x7f800000u ? bits : bits & 0x80000000u; }

// Of operands that are no NaN and no denormal numbers.
INLINE uint32_t fused_flushed(float a, float b, float c) {
  uint32_t bits = bits_of_float(__builtin_fmaf(a, b, c));
  if (is_nan_pattern(bits)) return 0xffc00000u;
  if ((bits & 0x7fffffffu) == 0x00800000u) {
    // The same 2⁶⁴ times as large, where rounding to 24 bits has its last bit; the smaller factor cannot overflow.
    int first = (bits_of_float(a) & 0x7fffffffu) < (bits_of_float(b) & 0x7fffffffu);
    float scaled = __builtin_fmaf(first ? a * 0x1p64f : a, first ? b : b * 0x1p64f, c * 0x1p64f);
    if ((bits_of_float(scaled) & 0x7fffffffu) < 0x20800000u) return bits & 0x80000000u;
  }
  return flushed(bits);
}

static uint32_t dot_of_lane(uint32_t acc, uint32_t a, uint32_t b) {
  const uint32_t upper = 0xffff0000u, quiet = 0x00400000u;
  uint32_t even[2] = {a << 16, b << 16}, odd[2] = {a & upper, b & upper};
  for (int i = 0; i < 2; i++) if (is_nan_pattern(even[i])) return even[i] | quiet;
  for (int i = 0; i < 2; i++) if (is_nan_pattern(odd[i])) return odd[i] | quiet;
  if (is_nan_pattern(acc)) return acc | quiet;
  float first_a = float_from_bits(flushed(odd[0])), first_b = float_from_bits(flushed(odd[1]));
  uint32_t first = fused_flushed(first_a, first_b, float_from_bits(flushed(acc)));
  if (is_nan_pattern(first)) return first;
  return fused_flushed(float_from_bits(flushed(even[0])), float_from_bits(flushed(even[1])), float_from_bits(first));
}

static __attribute__((noinline)) void dot_of_lanes(const float *acc, const int32_t *a, const int32_t *b, float *sums) {
  for (int i = 0; i < LANES; i++)
    sums[i] = float_from_bits(dot_of_lane(bits_of_float(acc[i]), (uint32_t)a[i], (uint32_t)b[i]));
}

INLINE vf v_dot(vf acc, vi a, vi b) {
  vi upper = vi_set1((int)0xffff0000u);
  vf odd_a = v_flush(v_from_bits(vi_and(a, upper))), odd_b = v_flush(v_from_bits(vi_and(b, upper)));
  vf even_a = v_flush(v_from_bits(vi_upper(a))), even_b = v_flush(v_from_bits(vi_upper(b)));
  vf first = v_fma(odd_a, odd_b, v_flush(acc)), sum = v_fma(even_a, even_b, v_flush(first));
  if (!v_any_special(first) && !v_any_special(sum)) return v_flush(sum);
  // Copies: the operands' own addresses would keep them out of registers.
  float before[LANES], sums[LANES];
  int32_t left[LANES], right[LANES];
  v_store(before, acc);
  vi_store(left, a);
  vi_store(right, b);
  dot_of_lanes(before, left, right, sums);
  return v_load(sums);
}
#endif

static void bf16_dot(const uint16_t *x, const uint16_t *y, long n, float *sums) {
  for (long i = 0; i < n; i += LANES) {
    long left = n - i < LANES ? n - i : LANES;
    int32_t a[LANES] = {0}, b[LANES] = {0};
    __builtin_memcpy(a, x + 2 * i, (unsigned long)left * sizeof *a);
    __builtin_memcpy(b, y + 2 * i, (unsigned long)left * sizeof *b);
    v_store_some(sums + i, left, v_dot(v_load_some(sums + i, left), vi_load(a), vi_load(b)));
  }
}
