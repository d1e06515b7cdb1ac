// GELU and its derivative, element by element.
//
//   tanh form: ½x·(1 + tanh u) = x·σ(2u), u = √(2/π)·(x + 0.044715x³), σ(z) = 1/(1 + exp(−z)): no cancellation for x < 0
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
FORWARD(gelu_quintic_forward, v_gelu_quintic)
BACKWARD(gelu_quintic_backward, v_gelu_quintic_derivative)

#undef FORWARD
#undef BACKWARD
