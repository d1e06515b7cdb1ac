// exp and log from +, ·, fma and integer shifts alone, so that every instruction set gives the same bits.
//
//   exp(x) = 2ⁿ·exp(r), n = round(x / ln 2), |r| ≤ ln 2 / 2
//
// exp(r) is its Taylor polynomial of degree 7: the remainder is below 0.3466⁸/8! = 5.2e-9 of the result, a tenth of an
// ulp; the whole is within 0.94 ulp, and 0.85 where the result is denormal (measured over every float; OperatorsTests
// sweeps over a million). ln 2 is split so that n·LN2_HIGH is exact.
// 2ⁿ is applied as two factors: results below 2⁻¹²⁶ become denormal and then 0, results above the largest float ∞.

// Adding 1.5·2²³ leaves round(x) in the low bits of the sum.
#define ROUNDING_MAGIC 12582912.0f
#define LOG2_E 1.44269504088896341f
#define LN2_HIGH 0.693359375f
#define LN2_LOW -2.12194440e-4f

INLINE vf v_exp(vf x) {
  x = v_max(v_set1(-104.0f), v_min(v_set1(89.0f), x));  // in this order NaN stays NaN
  vf magic = v_set1(ROUNDING_MAGIC);
  vf shifted = v_fma(x, v_set1(LOG2_E), magic);
  vf n = v_sub(shifted, magic);
  vf r = v_fma(n, v_set1(-LN2_HIGH), x);
  r = v_fma(n, v_set1(-LN2_LOW), r);
  vf p = v_set1(1.0f / 5040.0f);
  p = v_fma(p, r, v_set1(1.0f / 720.0f));
  p = v_fma(p, r, v_set1(1.0f / 120.0f));
  p = v_fma(p, r, v_set1(1.0f / 24.0f));
  p = v_fma(p, r, v_set1(1.0f / 6.0f));
  p = v_fma(p, r, v_set1(0.5f));
  p = v_fma(p, r, v_set1(1.0f));
  p = v_fma(p, r, v_set1(1.0f));
  vi exponent = vi_sub(v_bits(shifted), v_bits(magic));
  vi half = vi_half(exponent);
  vf first = v_from_bits(vi_to_exponent(half));
  vf second = v_from_bits(vi_to_exponent(vi_sub(exponent, half)));
  return v_mul(v_mul(p, first), second);
}

// 2ˣ for x ≤ 127 whose result goes from the smallest normal floats straight to 0 (below x = −126.5): one factor 2ⁿ is
// enough, and n = −127 makes it 0. x − n is exact. The polynomial of degree 6 for 2ʳ, |r| ≤ ½, with 1 as its constant
// term has the least largest relative error (Lawson's iteration over 20,001 points; each coefficient rounded to a
// float before the next ones were fitted): 3.0e-9. The whole is within 0.8 ulp (measured over every float from
// −126 to 127; OperatorsTests sweeps over a million). 11 operations where v_exp has 21: attention's softmax lives on it.
INLINE vf v_exp2_flushed(vf x) {
  x = v_max(v_set1(-127.0f), x);  // in this order NaN stays NaN
  vf magic = v_set1(ROUNDING_MAGIC);
  vf shifted = v_add(x, magic);
  vf r = v_sub(x, v_sub(shifted, magic));
  vf p = v_set1(0.00015326461f);
  p = v_fma(p, r, v_set1(0.0013390806f));
  p = v_fma(p, r, v_set1(0.009618506f));
  p = v_fma(p, r, v_set1(0.0555036f));
  p = v_fma(p, r, v_set1(0.24022648f));
  p = v_fma(p, r, v_set1(0.6931472f));
  p = v_fma(p, r, v_set1(1.0f));
  return v_mul(p, v_from_bits(vi_to_exponent(vi_sub(v_bits(shifted), v_bits(magic)))));
}

// log(x) of a positive normal float, in double: x = 2ⁿ·f, √½ ≤ f < √2, log f = 2·atanh((f−1)/(f+1)).
// |z| ≤ 0.1716; the series to z¹⁷ leaves a remainder below 1e-15 of the result.
INLINE float scalar_log(float x) {
  int32_t bits;
  __builtin_memcpy(&bits, &x, sizeof bits);
  if (!(x > 0.0f) || bits >= 0x7f800000) return x > 0.0f || x != x ? x : -__builtin_inff();
  int32_t n = (bits - 0x3f3504f3) >> 23;
  bits -= (int32_t)((uint32_t)n << 23);
  float f;
  __builtin_memcpy(&f, &bits, sizeof f);
  double z = ((double)f - 1.0) / ((double)f + 1.0), square = z * z, series = 0.0;
  for (int power = 17; power >= 1; power -= 2) series = series * square + 1.0 / power;
  return (float)((double)n * 0.693147180559945309417 + 2.0 * z * series);
}

static void exponential(const float *x, long n, float *y) {
  for (long i = 0; i < n; i += LANES) v_store_some(y + i, n - i, v_exp(v_load_some(x + i, n - i)));
}

static void power_of_two(const float *x, long n, float *y) {
  for (long i = 0; i < n; i += LANES) v_store_some(y + i, n - i, v_exp2_flushed(v_load_some(x + i, n - i)));
}
