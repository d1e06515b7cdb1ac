// GELU and its derivative, element by element.
//
//   tanh form: ½x·(1 + tanh u) = x·σ(2u), u = √(2/π)·(x + 0.044715x³), σ(z) = 1/(1 + exp(−z)): no cancellation for x < 0
//   erf form:  x·Φ(x) = max(x, 0) − |x|·Q(|x|), Φ the normal distribution, Q(a) = ½·erfc(a/√2) = 1 − Φ(a)
//   quintic:   x·(½ + 0.35849124x + 0.05037353x³ + 0.00625x⁵), the original program's early approximation
// Source: Hendrycks, Gimpel 2016, arXiv:1606.08415.

#define GELU_SCALE 1.5957691216057308f  // 2·√(2/π)
#define GELU_CUBE 0.044715f

INLINE vf v_gelu_exp(vf x, vf square) {
  vf inner = v_mul(x, v_fma(v_set1(GELU_CUBE), square, v_set1(1.0f)));
  return v_exp(v_mul(v_set1(-GELU_SCALE), inner));
}

INLINE vf v_gelu(vf x) { return v_div(x, v_add(v_set1(1.0f), v_gelu_exp(x, v_mul(x, x)))); }

// Beyond ±12 σ is 0 or 1 to the bit, and so is the slope; there x³ could overflow and ∞·0 make a NaN of it.
INLINE vf v_gelu_derivative(vf x) {
  x = v_max(v_set1(-12.0f), v_min(v_set1(12.0f), x));  // in this order NaN stays NaN
  vf square = v_mul(x, x), one = v_set1(1.0f);
  vf sigmoid = v_div(one, v_add(one, v_gelu_exp(x, square)));
  vf slope = v_mul(v_set1(GELU_SCALE), v_fma(v_set1(3.0f * GELU_CUBE), square, one));
  return v_fma(v_mul(v_mul(x, slope), sigmoid), v_sub(one, sigmoid), sigmoid);
}

// Q(a) = exp(−a²/2)·P(s)/(a + k), s = (a − k)/(a + k), k = 3.5: P varies so little over a ≥ 0 that a polynomial of degree
// 9 follows it. It has the least largest relative error on 0…15 (Lawson's iteration over 3,000 points; each coefficient
// rounded to a float before the next ones were fitted): 2.4e-8. There Σ|cᵢsⁱ| ≤ 2.6·P, Σ(i + 1)·|cᵢsⁱ| ≤ 4·P and
// |s·P′(s)| ≤ 0.9·P, of which ActivationTests makes its bound. Beyond 15 Q is 0.
#define GELU_TAIL_END 15.0f
#define GELU_TAIL_CENTRE 3.5f

typedef struct { vf magnitude, gaussian, ratio; } gelu_tail;  // a, at most 15; exp(−a²/2); Q(a) over that

INLINE gelu_tail v_gelu_tail(vf x) {
  vf a = v_min(v_set1(GELU_TAIL_END), v_max(v_sub(v_zero(), x), x));  // in this order NaN stays NaN
  vf inverse = v_div(v_set1(1.0f), v_add(a, v_set1(GELU_TAIL_CENTRE)));
  vf s = v_mul(v_sub(a, v_set1(GELU_TAIL_CENTRE)), inverse);
  vf p = v_set1(9.3593204e-05f);
  p = v_fma(p, s, v_set1(0.00040434793f));
  p = v_fma(p, s, v_set1(-0.00047410442f));
  p = v_fma(p, s, v_set1(-0.003154911f));
  p = v_fma(p, s, v_set1(0.0064840443f));
  p = v_fma(p, s, v_set1(0.017398903f));
  p = v_fma(p, s, v_set1(-0.11605141f));
  p = v_fma(p, s, v_set1(0.31542593f));
  p = v_fma(p, s, v_set1(-0.56556183f));
  p = v_fma(p, s, v_set1(0.74441606f));
  return (gelu_tail){a, v_exp(v_mul(v_set1(-0.5f), v_mul(a, a))), v_mul(p, inverse)};
}

INLINE vf v_gelu_erf(vf x) {
  gelu_tail tail = v_gelu_tail(x);
  vf q = v_mul(tail.gaussian, tail.ratio);
  return v_fma(v_sub(v_zero(), tail.magnitude), q, v_max(v_zero(), x));
}

// Φ(x) + x·φ(x), which is d = Q(a) − a·φ(a) for x < 0 and 1 − d for x ≥ 0. What tells them apart is 0 or 1 but for
// |x| < 2⁻¹²⁷, where both are ½.
#define GELU_DENSITY 0.3989422804f  // 1/√(2π)

INLINE vf v_gelu_erf_derivative(vf x) {
  gelu_tail tail = v_gelu_tail(x);
  vf d = v_mul(tail.gaussian, v_fma(v_set1(-GELU_DENSITY), tail.magnitude, tail.ratio));
  vf isPositive = v_min(v_set1(1.0f), v_max(v_zero(), v_mul(v_set1(0x1p127f), x)));
  return v_fma(isPositive, v_fma(v_set1(-2.0f), d, v_set1(1.0f)), d);
}

INLINE vf v_quintic(vf x, float a, float b, float c) {
  vf square = v_mul(x, x);
  return v_fma(square, v_fma(square, v_set1(c), v_set1(b)), v_set1(a));
}
#define QUINTIC_1 0.35849124f
#define QUINTIC_3 0.05037353f
#define QUINTIC_5 0.00625f

INLINE vf v_gelu_quintic(vf x) {
  return v_mul(x, v_fma(x, v_quintic(x, QUINTIC_1, QUINTIC_3, QUINTIC_5), v_set1(0.5f)));
}

INLINE vf v_gelu_quintic_derivative(vf x) {
  return v_fma(x, v_quintic(x, 2.0f * QUINTIC_1, 4.0f * QUINTIC_3, 6.0f * QUINTIC_5), v_set1(0.5f));
}

#define FORWARD(name, function)                                                        \
  static void name(const float *x, long n, float *y) {                                 \
    for (long i = 0; i < n; i += LANES) {                                              \
      long left = n - i;                                    \
      v_store_some(y + i, left, function(v_load_some(x + i, left)));                         \
    }                                                                                  \
  }
#define BACKWARD(name, derivative)                                                     \
  static void name(const float *x, const float *dout, long n, float *dx) {             \
    for (long i = 0; i < n; i += LANES) {                                              \
      long left = n - i;                                    \
      vf d = v_load_some(dout + i, left);                                                 \
      v_store_some(dx + i, left, v_mul(derivative(v_load_some(x + i, left)), d));            \
    }                                                                                  \
  }

FORWARD(gelu_forward, v_gelu)
BACKWARD(gelu_backward, v_gelu_derivative)
FORWARD(gelu_erf_forward, v_gelu_erf)
BACKWARD(gelu_erf_backward, v_gelu_erf_derivative)
FORWARD(gelu_quintic_forward, v_gelu_quintic)
BACKWARD(gelu_quintic_backward, v_gelu_quintic_derivative)

#undef FORWARD
#undef BACKWARD
